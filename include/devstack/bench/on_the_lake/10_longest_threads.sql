SELECT thread, count() AS answers, uniqExact(did) AS people
FROM
(
    SELECT did, argMax(tuple(reply_root_uri), rev).1 AS thread
    FROM firehose.posts
    WHERE date = (SELECT max(day) FROM firehose.events_by_minute) AND NOT resync
    GROUP BY did, rkey
    HAVING argMax(operation, rev) != 'delete' AND thread IS NOT NULL
)
GROUP BY thread
ORDER BY answers DESC, thread
LIMIT 20
