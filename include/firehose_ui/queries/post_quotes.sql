-- The latest quotes of a post: author, address, text, whether taken back, and why its account is not active
WITH
    -- Once: a CTE is computed again wherever it is named
    (
        SELECT groupArray((did, rkey, first, gone))
        FROM
        (
            SELECT did, rkey, min(witnessed_at) AS first, max(undone) AS gone FROM firehose.about(uri = {uri:String})
            WHERE kind = 'quote' AND rkey != ''
            GROUP BY did, rkey
            ORDER BY first DESC, did, rkey
            LIMIT 50
        )
    ) AS latest,
    found AS (SELECT one.1 AS did, one.2 AS rkey, one.3 AS first, one.4 AS gone FROM (SELECT arrayJoin(latest) AS one))
SELECT 1 AS depth, f.did, concat('at://', f.did, '/app.bsky.feed.post/', f.rkey) AS uri,
    toFloat64(toUnixTimestamp64Micro(f.first)) / 1e6 AS at, f.gone AS deleted, written.text, ifNull(m.account_status, '') AS status
FROM found AS f
LEFT JOIN
(
    SELECT did, rkey, argMax(tuple(text), rev).1 AS text FROM firehose.post_texts
    WHERE (day, hour, at, did) IN
    (
        SELECT toDate(first), toStartOfHour(first), first, did FROM found
        UNION ALL
        SELECT day, hour, at, did FROM ops.post_changes WHERE (rkey, did) IN (SELECT rkey, did FROM found) AND operation = 'update'
    )
    GROUP BY did, rkey
) AS written ON written.did = f.did AND written.rkey = f.rkey
LEFT JOIN (SELECT did, account_status FROM firehose.account_marks WHERE did IN (SELECT did FROM found)) AS m ON m.did = f.did
ORDER BY f.first DESC, f.did, f.rkey
SETTINGS join_use_nulls = 1
