-- Who likes one post
-- The post with the most likes in any hour of the latest day. All likes that stand, but for those known by a resync only.
-- Reads: ops.edges by key; ops.names by key
WITH
    (
        SELECT uri FROM firehose.most_liked_posts_by_hour
        WHERE day = (SELECT max(day) FROM firehose.most_liked_posts_by_hour) ORDER BY likes DESC, uri LIMIT 1
    ) AS post
SELECT did, min(made) AS since, count() AS records
FROM
(
    SELECT did, max(witnessed_at) AS made FROM firehose.about(uri = post)
    WHERE kind = 'like'
    GROUP BY did, rkey
    HAVING NOT argMax(undone, witnessed_at)
)
GROUP BY did
ORDER BY since, did
LIMIT 100
