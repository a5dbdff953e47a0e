SELECT date AS day, hour_start AS hour, witnessed_at AS at, did, rkey, rev, operation
FROM firehose.seen_posts
WHERE hour_start IN {hours:Array(DateTime('UTC'))} AND operation IN ('update', 'delete') AND NOT resync
    AND (empty({batches:Array(DateTime64(3, 'UTC'))}) OR batch IN {batches:Array(DateTime64(3, 'UTC'))})
