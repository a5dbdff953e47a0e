-- The thread that a post began, in its order: depth, author, text, whether deleted, and why its account is not active
-- An answer that an edit took out of the thread is in it, and not deleted
WITH
    -- Once: a CTE is computed again wherever it is named
    (
        SELECT groupArray((depth, did, uri, witnessed_at, deleted))
        FROM (SELECT depth, did, uri, witnessed_at, deleted FROM firehose.thread(uri = {uri:String}) LIMIT 500)
    ) AS found,
    tree AS
    (
        SELECT place, one.1 AS depth, one.2 AS did, one.3 AS uri, one.4 AS seen, one.5 AS out, splitByChar('/', one.3)[5] AS rkey
        FROM (SELECT arrayJoin(arrayEnumerate(found)) AS place, found[place] AS one)
    )
SELECT t.depth, t.did, t.uri, toFloat64(toUnixTimestamp64Micro(t.seen)) / 1e6 AS at,
    t.out AND (cityHash64(t.did), t.rkey) IN
    (
        SELECT account, rkey FROM ops.events
        WHERE account IN (SELECT cityHash64(did) FROM tree WHERE out) AND type = 'posts'
        GROUP BY account, rkey
        HAVING argMax(operation, at) = 'delete'
    ) AS deleted,
    written.text, ifNull(m.account_status, '') AS status
FROM tree AS t
LEFT JOIN
(
    SELECT did, rkey, argMax(tuple(text), rev).1 AS text FROM firehose.post_texts
    WHERE (day, hour, at, did) IN
    (
        SELECT toDate(seen), toStartOfHour(seen), seen, did FROM tree
        UNION ALL
        SELECT day, hour, at, did FROM ops.post_changes WHERE (rkey, did) IN (SELECT rkey, did FROM tree) AND operation = 'update'
    )
    GROUP BY did, rkey
) AS written ON written.did = t.did AND written.rkey = t.rkey
LEFT JOIN (SELECT did, account_status FROM firehose.account_marks WHERE did IN (SELECT did FROM tree)) AS m ON m.did = t.did
ORDER BY t.place
SETTINGS join_use_nulls = 1
