-- The posts that accounts gave most likes or reposts in whole hours, with text and handle where they are known
-- one of kind: like, repost
-- kept 60 s
WITH
    (
        SELECT groupArray((uri, accounts))
        FROM
        (
            SELECT uri, accounts
            FROM firehose.top_records(kind = {kind:String}, since = {since:DateTime('UTC')}, until = {until:DateTime('UTC')}, top = 30)
            WHERE accounts > 0 AND uri LIKE '%/app.bsky.feed.post/%'
            ORDER BY accounts DESC, uri
            LIMIT 10
        )
    ) AS found,
    best AS
    (
        SELECT one.1 AS uri, one.2 AS given, splitByChar('/', uri)[3] AS author, splitByChar('/', uri)[5] AS rkey
        FROM (SELECT arrayJoin(found) AS one)
    )
SELECT best.uri, best.given, written.text, if(named.handle = '', NULL, named.handle) AS handle
FROM best
LEFT JOIN
(
    SELECT did, rkey, argMax(tuple(text), rev).1 AS text, true AS is_known FROM ops.post_texts
    WHERE day > toDate({until:DateTime('UTC')}) - 9 AND did IN (SELECT author FROM best) AND rkey IN (SELECT rkey FROM best)
    GROUP BY did, rkey
) AS written ON written.did = best.author AND written.rkey = best.rkey
LEFT JOIN
(
    SELECT did, argMax(handle, since) AS handle FROM firehose.handles
    WHERE since < {until:DateTime('UTC')} AND did IN (SELECT author FROM best)
    GROUP BY did
) AS named ON named.did = best.author
ORDER BY given DESC, uri
SETTINGS join_use_nulls = 1
