-- Creates, updates and deletes
-- By record type on the latest day: how much of the stream takes something back.
-- Reads: firehose.events_by_minute by partition
SELECT type, sumIf(events, operation = 'create') AS creates, sumIf(events, operation = 'update') AS updates,
    sumIf(events, operation = 'delete') AS deletes, round(deletes / sum(events), 3) AS share_deleted
FROM firehose.events_by_minute
WHERE day = (SELECT max(day) FROM firehose.events_by_minute)
GROUP BY type
ORDER BY sum(events) DESC
