-- Events a minute
-- The latest hour, from the summary.
-- Reads: firehose.events_by_minute by partition
WITH (SELECT max(minute) FROM firehose.events_by_minute) AS latest
SELECT minute, sum(events) AS total, sumIf(events, type = 'posts') AS posts, sumIf(events, type = 'likes') AS likes
FROM firehose.events_by_minute
WHERE day >= toDate(latest - INTERVAL 1 HOUR) AND minute > latest - INTERVAL 1 HOUR
GROUP BY minute
ORDER BY minute
