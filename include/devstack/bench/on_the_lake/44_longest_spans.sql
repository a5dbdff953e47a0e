SELECT did, dateDiff('millisecond', min(witnessed_at), max(witnessed_at)) AS span_ms
FROM firehose.posts
WHERE operation = 'create' AND NOT resync
GROUP BY did
ORDER BY span_ms DESC, did
LIMIT 20
