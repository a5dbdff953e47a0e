-- An account's latest posts: when, address, text, whether deleted, and why the account is not active
WITH
    -- Once: a CTE is computed again wherever it is named
    (
        SELECT groupArray((rkey, uri, first_seen, changed, gone, account_status))
        FROM
        (
            SELECT rkey, uri, first_seen, changed, until IS NOT NULL AS gone, account_status FROM firehose.records(did = {did:String})
            WHERE type = 'posts'
            ORDER BY first_seen DESC, uri
            LIMIT 50
        )
    ) AS latest,
    found AS
    (
        SELECT one.1 AS rkey, one.2 AS uri, one.3 AS first_seen, one.4 AS changed, one.5 AS gone, one.6 AS account_status
        FROM (SELECT arrayJoin(latest) AS one)
    )
SELECT 1 AS depth, {did:String} AS did, f.uri, toFloat64(toUnixTimestamp64Micro(f.first_seen)) / 1e6 AS at, f.gone AS deleted,
    written.text, f.account_status AS status
FROM found AS f
LEFT JOIN
(
    SELECT rkey, argMax(tuple(text), rev).1 AS text FROM firehose.post_texts
    WHERE hour IN (SELECT toStartOfHour(arrayJoin([first_seen, ifNull(changed, first_seen)])) FROM found) AND did = {did:String}
    GROUP BY rkey
) AS written ON written.rkey = f.rkey
ORDER BY f.first_seen DESC, f.uri
SETTINGS join_use_nulls = 1
