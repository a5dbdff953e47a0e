-- Most answered threads
-- Answers written on the latest day and the people who wrote them, by the post that began the thread; those taken back
-- by the day's end are not counted.
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
