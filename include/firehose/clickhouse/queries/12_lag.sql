-- How late events arrive
-- Seconds to the witness from the clock that the client claims, and from the clock inside the record key: half,
-- nine in ten and 99 in 100 of the latest hour's records are at most that late.
-- From the lake: only its records have what a client claims.
-- Reads: events of 1 hour
SELECT type, count() AS records,
    quantiles(0.5, 0.9, 0.99)(dateDiff('millisecond', created_at, witnessed_at) / 1000) AS since_created_at,
    quantiles(0.5, 0.9, 0.99)(dateDiff('millisecond', tid_at, witnessed_at) / 1000) AS since_record_key
FROM firehose.events
WHERE hour_start = (SELECT toStartOfHour(max(minute)) FROM firehose.events_by_minute)
    AND operation = 'create' AND NOT resync
    AND created_at BETWEEN witnessed_at - INTERVAL 1 DAY AND witnessed_at + INTERVAL 1 HOUR
GROUP BY type
ORDER BY records DESC, type
