SELECT toDate(hour_start), hour_start, kind, uniqExact(did), uniqCombined64State(did)
FROM firehose.events
ARRAY JOIN [type, 'all'] AS kind
WHERE hour_start IN {hours:Array(DateTime('UTC'))} AND NOT resync
GROUP BY hour_start, kind
