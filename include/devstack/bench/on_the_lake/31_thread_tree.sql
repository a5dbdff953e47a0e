WITH RECURSIVE
    thread AS
    (
        SELECT assumeNotNull(reply_root_uri) AS root FROM firehose.posts
        WHERE date = (SELECT max(day) FROM firehose.events_by_minute) AND operation = 'create' AND NOT resync AND is_reply
            AND reply_root_uri IS NOT NULL
        GROUP BY root ORDER BY count() DESC, root LIMIT 1
    ),
    members AS
    (
        SELECT did, any(uri) AS post, ifNull(argMaxIf(tuple(reply_parent_uri), rev, operation != 'delete').1, '') AS parent,
            argMax(operation, rev) = 'delete' AS deleted
        FROM firehose.posts
        GROUP BY did, rkey
        HAVING post = (SELECT root FROM thread) OR countIf(reply_root_uri = (SELECT root FROM thread)) > 0
    ),
    tree AS
    (
        SELECT root AS post, toInt32(0) AS depth FROM thread
        UNION ALL
        SELECT members.post, tree.depth + 1 FROM members INNER JOIN tree ON members.parent = tree.post
        WHERE tree.depth < 1000
    )
SELECT if(tree.post = '', NULL, tree.depth) AS depth, count() AS written, countIf(deleted) AS since_deleted,
    uniqExact(did) AS people
FROM members
LEFT JOIN tree ON tree.post = members.post
GROUP BY depth
ORDER BY depth
