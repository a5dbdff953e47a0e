WITH
    (SELECT max(day) FROM firehose.events_by_minute) AS latest,
    standing AS
    (
        SELECT 'like' AS kind, did, argMax(ifNull(subject_uri, ''), rev) AS post FROM firehose.likes
        WHERE date BETWEEN latest - 6 AND latest AND NOT resync
        GROUP BY did, rkey
        HAVING argMax(operation, rev) != 'delete' AND post != ''
        UNION ALL
        SELECT 'repost', did, argMax(ifNull(subject_uri, ''), rev) AS post FROM firehose.reposts
        WHERE date BETWEEN latest - 6 AND latest AND NOT resync
        GROUP BY did, rkey
        HAVING argMax(operation, rev) != 'delete' AND post != ''
    )
SELECT post, uniqExactIf(did, kind = 'like') AS likes, uniqExactIf(did, kind = 'repost') AS reposts
FROM standing
GROUP BY post
ORDER BY likes + reposts DESC, post
LIMIT 20
