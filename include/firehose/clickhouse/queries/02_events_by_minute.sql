-- Events a minute
-- The latest hour, from the summary.
SELECT minute, sum(events) AS total, sumIf(events, type = 'posts') AS posts, sumIf(events, type = 'likes') AS likes
FROM firehose.events_by_minute
WHERE minute > (SELECT max(minute) FROM firehose.events_by_minute) - INTERVAL 1 HOUR
GROUP BY minute
ORDER BY minute
