SELECT date_trunc('minute', moment), count(*), count(*) FILTER (type = 'posts'), count(*) FILTER (type = 'likes')
FROM received
WHERE date_trunc('minute', moment) > (SELECT date_trunc('minute', max(moment)) FROM received) - INTERVAL 1 HOUR
GROUP BY 1 ORDER BY 1
