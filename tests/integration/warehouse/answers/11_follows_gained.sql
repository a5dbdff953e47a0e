SELECT subject, count(*), count(*) FILTER (NOT after), count(*) FILTER (after) FROM pairs
WHERE began AND NOT before GROUP BY subject ORDER BY 4 DESC, 1 LIMIT 20
