SELECT witnessed_at, type, operation, uri
FROM firehose.events
WHERE NOT resync AND did = (SELECT did FROM firehose.events
    WHERE date = (SELECT max(day) FROM firehose.events_by_minute) AND NOT resync
    GROUP BY did ORDER BY count() DESC, did LIMIT 1)
ORDER BY time_us DESC, uri
LIMIT 100
