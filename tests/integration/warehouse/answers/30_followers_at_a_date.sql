SELECT subject, count(*) FILTER (before), count(*) FILTER (after), count(*) FILTER (after AND NOT before),
    count(*) FILTER (before AND NOT after) AS went
FROM pairs GROUP BY subject ORDER BY 3 DESC, went DESC, subject LIMIT 20
