-- Most liked posts of a day, with text and handle
-- Accounts whose like of the latest day stood at its end, each once, of the 100 posts that gained most likes. The text is
-- there where the post was witnessed in the week before, the handle where an identity event had named it by the end of the day.
-- The best are looked up first, into an array: a CTE would be computed wherever it is named.
-- Reads: ops.engagement_by_hour by partition; ops.edges by partition, key; ops.names by key; ops.post_texts by partition, index did; ops.account_changes whole
WITH
    (SELECT max(day) FROM firehose.events_by_minute) AS latest,
    (
        SELECT groupArray((uri, accounts))
        FROM
        (
            SELECT uri, accounts FROM firehose.top_records(kind = 'like', since = latest, until = latest + 1, top = 100)
            WHERE accounts > 0
            ORDER BY accounts DESC, uri LIMIT 20
        )
    ) AS found,
    best AS
    (
        SELECT one.1 AS post, one.2 AS likes, splitByChar('/', post)[3] AS author
        FROM (SELECT arrayJoin(found) AS one)
    )
SELECT best.likes AS likes, best.post AS uri, written.text AS text, named.handle AS handle
FROM best
LEFT JOIN
(
    SELECT concat('at://', did, '/app.bsky.feed.post/', rkey) AS post, argMax(text, rev) AS text FROM firehose.post_texts
    WHERE day > latest - 7 AND did IN (SELECT author FROM best)
    GROUP BY post
) AS written ON written.post = best.post
LEFT JOIN
(
    SELECT did, argMax(handle, since) AS handle FROM firehose.handles
    WHERE toDate(since) <= latest
    GROUP BY did
) AS named ON named.did = best.author
ORDER BY likes DESC, uri
