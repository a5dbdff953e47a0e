-- The bytes of a state depend on the order of what goes in: sorted and in one thread, a rerun gives equal bytes.
SELECT toDate(hour_start), hour_start, kind, count(), uniqCombined64State(did)
FROM
(
    SELECT DISTINCT hour_start, kind, did
    FROM firehose.events
    ARRAY JOIN [type, 'all'] AS kind
    WHERE hour_start = {hour:DateTime('UTC')}
    ORDER BY kind, did
)
GROUP BY hour_start, kind
SETTINGS max_threads = 1
