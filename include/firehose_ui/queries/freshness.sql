-- The first and last event that can be queried, and the end of the last batch, in seconds since 1970; 0: there is none
SELECT
    (SELECT toUnixTimestamp(min(minute)) FROM firehose.events_by_minute WHERE day = (SELECT min(day) FROM firehose.events_by_minute)) AS first,
    (SELECT toUnixTimestamp(max(minute) + 60) FROM firehose.events_by_minute WHERE day = (SELECT max(day) FROM firehose.events_by_minute)) AS last,
    (SELECT toUnixTimestamp(max(end)) FROM ops.batches) AS batch,
    (SELECT count() FROM firehose.events_by_minute) AS rows
