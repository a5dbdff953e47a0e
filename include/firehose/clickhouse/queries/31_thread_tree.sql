-- A thread as a tree
-- The answers in the thread that was answered most on the latest day, by depth: 1 answers its first post. Those since deleted
-- are counted; those whose parent was never witnessed are in no tree. Nothing says when a post is hidden by a moderator or by
-- the thread's author.
-- Reads: ops.edges by key; ops.names by key
WITH
    (SELECT max(day) FROM firehose.events_by_minute) AS latest,
    (
        SELECT uri FROM firehose.top_records(kind = 'root', since = latest, until = latest + 1, top = 100)
        ORDER BY made DESC, uri LIMIT 1
    ) AS first_post
SELECT depth, uniqExact(uri) AS written, uniqExactIf(uri, deleted) AS since_deleted, uniqExact(did) AS people
FROM firehose.thread(uri = first_post)
GROUP BY depth
ORDER BY depth
