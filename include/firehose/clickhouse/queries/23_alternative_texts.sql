-- Images with an alternative text, and the likes of their posts
-- Posts with images of the latest seven days that still exist, by how many of their images are described, and their likes
-- less those taken back. That described posts have more likes does not say that the description is why. Images without
-- a description are in the lake only.
-- Reads: posts of 7 days; ops.post_changes by partition; ops.engagement_by_hour by partition
WITH
    (SELECT max(day) FROM firehose.events_by_minute) AS latest,
    liked AS
    (
        SELECT account, rkey, sum(made) - sum(undone) AS likes FROM ops.engagement_by_hour
        WHERE day > latest - 7 AND kind = 'like' AND collection = 'app.bsky.feed.post'
        GROUP BY account, rkey
    ),
    changed AS
    (
        SELECT did, rkey, max(rev) AS last_rev FROM firehose.post_changes WHERE day > latest - 7 GROUP BY did, rkey
    )
SELECT multiIf(arrayAll(alt -> alt != '', alt_texts), 'all', arrayExists(alt -> alt != '', alt_texts), 'some', 'none')
    AS described, count() AS existing, sum(length(alt_texts)) AS images, countIf(likes > 0) AS ever_liked,
    round(avg(likes), 4) AS mean_likes
FROM firehose.posts AS posts
LEFT JOIN liked ON liked.account = cityHash64(posts.did) AND liked.rkey = posts.rkey
LEFT JOIN changed ON changed.did = posts.did AND changed.rkey = posts.rkey
WHERE date > latest - 7 AND has_images AND operation != 'delete' AND NOT resync AND rev >= last_rev
GROUP BY described
ORDER BY described
