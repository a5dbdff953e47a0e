-- Coverage by hour
-- The latest day, in seconds: missing time is in an open gap, unaccounted time in neither a batch nor a gap, for example
-- after a failed run. The gaps themselves, those that were filled later too, are in ops.gaps.
-- Reads: ops.collections_by_hour by partition; firehose.events_by_minute by partition or key; ops.batches whole; ops.gaps whole
WITH (SELECT max(day) FROM firehose.events_by_minute) AS latest
SELECT hour_start, type, seen, seconds_missing AS missing, seconds_unaccounted AS unaccounted, round(share, 4) AS covered
FROM firehose.completeness
LEFT JOIN
(
    SELECT hour AS hour_start, toString(type) AS type, sum(events) AS seen FROM ops.collections_by_hour
    WHERE day = latest
    GROUP BY hour_start, type
) AS counted USING (hour_start, type)
WHERE date = latest
ORDER BY hour_start, type
