-- Posts deleted on the day they were written
-- And how many minutes they lived.
WITH (SELECT max(day) FROM firehose.events_by_minute) AS latest
SELECT uri, dateDiff('minute', min(witnessed_at), max(witnessed_at)) AS minutes,
    anyIf(text, operation = 'create') AS what
FROM firehose.posts
WHERE date = latest AND NOT resync
GROUP BY uri
HAVING countIf(operation = 'create') > 0 AND countIf(operation = 'delete') > 0
ORDER BY minutes, uri
LIMIT 20
