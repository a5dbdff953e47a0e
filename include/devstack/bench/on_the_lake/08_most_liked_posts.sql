WITH
    (SELECT max(day) FROM firehose.events_by_minute) AS latest,
    liked AS
    (
        SELECT did, argMax(ifNull(subject_uri, ''), rev) AS subject FROM firehose.likes
        WHERE date = latest AND NOT resync
        GROUP BY did, rkey
        HAVING argMax(operation, rev) != 'delete' AND subject != ''
    ),
    best AS
    (
        SELECT subject AS post, uniqExact(did) AS likes FROM liked
        GROUP BY post ORDER BY likes DESC, post LIMIT 20
    )
SELECT best.likes AS likes, best.post AS uri, written.text AS text, named.handle AS handle
FROM best
LEFT JOIN
(
    SELECT uri AS post, argMax(tuple(text), rev).1 AS text FROM firehose.posts
    WHERE date BETWEEN latest - 6 AND latest AND operation != 'delete' AND uri IN (SELECT post FROM best)
    GROUP BY post
) AS written ON written.post = best.post
LEFT JOIN
(
    SELECT did, argMax(handle, since) AS handle FROM firehose.handles
    WHERE toDate(since) <= latest
    GROUP BY did
) AS named ON named.did = extract(best.post, '^at://([^/]+)')
ORDER BY likes DESC, uri
