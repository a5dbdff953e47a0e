-- The last text of posts, whose addresses have a space between them, and their authors' handles, as far as they are known at some time
WITH
    splitByChar(' ', {uris:String}) AS uris,
    arrayMap(uri -> splitByChar('/', uri)[3], uris) AS authors,
    arrayMap(uri -> splitByChar('/', uri)[5], uris) AS keys
SELECT p.uri, written.text, if(named.handle = '', NULL, named.handle) AS handle
FROM (SELECT arrayJoin(uris) AS uri, splitByChar('/', uri)[3] AS author, splitByChar('/', uri)[5] AS rkey) AS p
LEFT JOIN
(
    SELECT did, rkey, argMax(tuple(text), rev).1 AS text FROM ops.post_texts
    WHERE day > toDate({until:DateTime('UTC')}) - 9 AND did IN (SELECT arrayJoin(authors)) AND rkey IN (SELECT arrayJoin(keys))
    GROUP BY did, rkey
) AS written ON written.did = p.author AND written.rkey = p.rkey
LEFT JOIN
(
    SELECT did, argMax(handle, since) AS handle FROM firehose.handles
    WHERE since < {until:DateTime('UTC')} AND did IN (SELECT arrayJoin(authors))
    GROUP BY did
) AS named ON named.did = p.author
SETTINGS join_use_nulls = 1
