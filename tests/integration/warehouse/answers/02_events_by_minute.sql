SELECT date_trunc('minute', moment), count(*), count(*) FILTER (type = 'posts'), count(*) FILTER (type = 'likes')
FROM everything
WHERE date_trunc('minute', moment) > (SELECT date_trunc('minute', max(moment)) FROM everything) - INTERVAL 1 HOUR
GROUP BY 1 ORDER BY 1
