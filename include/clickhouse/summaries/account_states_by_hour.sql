-- The bytes of a state depend on the order of what went in. Sorted, a rerun gives equal bytes; a subquery's
-- ORDER BY would not do, as the optimizer may drop it.
SELECT toDate(hour_start), hour_start, kind, length(dids), arrayReduce('uniqCombined64State', dids)
FROM
(
    SELECT hour_start, kind, arraySort(groupUniqArray(did)) AS dids
    FROM firehose.events
    ARRAY JOIN [type, 'all'] AS kind
    WHERE hour_start = {hour:DateTime('UTC')}
    GROUP BY hour_start, kind
)
