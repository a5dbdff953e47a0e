-- The thread that a post began, in its order: depth, author, text, whether deleted, and why its account is not active
WITH tree AS (SELECT depth, did, uri, witnessed_at, deleted, row_number() OVER () AS place FROM firehose.thread(uri = {uri:String}) LIMIT 500)
SELECT t.depth, t.did, t.uri, toFloat64(toUnixTimestamp64Micro(t.witnessed_at)) / 1e6 AS at, t.deleted, written.text,
    ifNull(m.account_status, '') AS status
FROM tree AS t
LEFT JOIN
(
    SELECT did, rkey, argMax(tuple(text), rev).1 AS text FROM firehose.post_texts
    WHERE hour IN (SELECT toStartOfHour(witnessed_at) FROM tree) AND did IN (SELECT did FROM tree)
    GROUP BY did, rkey
) AS written ON written.did = t.did AND written.rkey = splitByChar('/', t.uri)[5]
LEFT JOIN firehose.account_marks AS m ON m.did = t.did
ORDER BY t.place
SETTINGS join_use_nulls = 1
