SELECT kind, source_did, target_did, count() AS times
FROM firehose.edges
WHERE date = (SELECT max(day) FROM firehose.events_by_minute) AND source_did != target_did
GROUP BY kind, source_did, target_did
ORDER BY times DESC, kind, source_did, target_did
LIMIT 1000
