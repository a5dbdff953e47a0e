-- Most answered threads
-- Answers and people by the post that began the thread, on the latest day.
SELECT reply_root_uri AS thread, count() AS answers, uniqExact(did) AS people
FROM firehose.posts
WHERE date = (SELECT max(day) FROM firehose.events_by_minute)
    AND operation = 'create' AND NOT resync AND reply_root_uri IS NOT NULL
GROUP BY thread
ORDER BY answers DESC, thread
LIMIT 20
