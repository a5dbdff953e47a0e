WITH (SELECT max(day) FROM firehose.events_by_minute) AS latest
SELECT any(uri) AS post, dateDiff('minute', argMaxIf(witnessed_at, rev, operation = 'create'), max(witnessed_at)) AS minutes,
    argMaxIf(text, rev, operation != 'delete') AS what
FROM firehose.posts
WHERE date = latest AND NOT resync
GROUP BY did, rkey
HAVING argMax(operation, rev) = 'delete' AND countIf(operation = 'create') > 0
ORDER BY minutes, post
LIMIT 20
