-- How often a word is used
-- Posts of the latest seven days by hour that contain it, found by the index of words, and their share of all.
-- Reads: ops.post_texts by partition, index words; ops.collections_by_hour by partition
WITH (SELECT max(day) FROM firehose.events_by_minute) AS latest
SELECT hour, sum(events) AS posts_created, any(found) AS with_word, round(with_word / posts_created, 5) AS share
FROM ops.collections_by_hour
LEFT JOIN
(
    SELECT hour, count() AS found FROM firehose.post_texts
    WHERE day > latest - 7 AND operation = 'create' AND hasAllTokens(words, 'coffee')
    GROUP BY hour
) AS used USING (hour)
WHERE day > latest - 7 AND collection = 'app.bsky.feed.post' AND operation = 'create' AND NOT resync
GROUP BY hour
ORDER BY hour
