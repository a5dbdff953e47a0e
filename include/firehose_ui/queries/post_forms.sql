-- Each form of a post, and its deletions, as the files of the lake have them, with all that its record is made of
WITH
    (
        -- A key that is not a TID is empty here: then these are the hours of all such posts
        SELECT groupUniqArray(hour) FROM ops.events
        WHERE account = cityHash64({did:String}) AND collection = 'app.bsky.feed.post' AND rkey IN ('', {rkey:String})
    ) AS hours
SELECT toFloat64(time_us) / 1e6 AS at, operation, rev, resync, cid, extra, toString(created_at) AS created_at, created_at_raw,
    text, langs, reply_parent_uri, reply_parent_cid, reply_root_uri, reply_root_cid, embed, facets
FROM firehose.posts
WHERE has(hours, hour_start) AND did = {did:String} AND rkey = {rkey:String}
ORDER BY rev, time_us
LIMIT 100
