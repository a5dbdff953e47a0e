SELECT DISTINCT toDate(hour_start), hour_start, key
FROM
(
    -- With the CID; without it, and by the account that it is about, for stores that kept no CID or no record key.
    SELECT hour_start, arrayJoin([cityHash64(did, collection, rkey, ifNull(cid, '')), cityHash64(did, collection, rkey, ''),
        cityHash64(did, collection, '', subject)]) AS key
    FROM
    (
        SELECT did, 'app.bsky.feed.post' AS collection, rkey, cid, operation, hour_start, '' AS subject FROM firehose.seen_posts
        UNION ALL SELECT did, 'app.bsky.feed.like', rkey, cid, operation, hour_start, '' FROM firehose.seen_likes
        UNION ALL SELECT did, 'app.bsky.graph.follow', rkey, cid, operation, hour_start, subject_did FROM firehose.seen_follows
        UNION ALL SELECT did, 'app.bsky.feed.repost', rkey, cid, operation, hour_start, '' FROM firehose.seen_reposts
        UNION ALL SELECT did, 'app.bsky.graph.block', rkey, cid, operation, hour_start, subject_did FROM firehose.seen_blocks
    )
    WHERE hour_start IN {hours:Array(DateTime('UTC'))} AND operation != 'delete'
)
WHERE key IN (SELECT key FROM ops.imported_keys)
