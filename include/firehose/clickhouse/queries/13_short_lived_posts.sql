-- Posts deleted on the day they were written
-- And how many minutes they lived. A post that was written again under its key is not deleted.
-- Reads: ops.post_texts by partition; ops.post_changes by partition
WITH (SELECT max(day) FROM firehose.events_by_minute) AS latest
SELECT concat('at://', did, '/app.bsky.feed.post/', rkey) AS post,
    dateDiff('minute', argMaxIf(at, rev, operation = 'create'), any(died)) AS minutes, argMax(text, rev) AS what
FROM firehose.post_texts
INNER JOIN
(
    SELECT did, rkey, max(at) AS died, max(rev) AS until FROM firehose.post_changes
    WHERE day = latest AND operation = 'delete'
    GROUP BY did, rkey
) AS deleted USING (did, rkey)
WHERE day = latest
GROUP BY did, rkey
HAVING max(rev) < any(until) AND countIf(operation = 'create') > 0
ORDER BY minutes, post
LIMIT 20
