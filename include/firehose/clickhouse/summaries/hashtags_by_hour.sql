SELECT toDate(hour_start), hour_start, tag, count(), uniqExact(did)
FROM firehose.seen_posts
ARRAY JOIN tags AS tag
WHERE hour_start IN {hours:Array(DateTime('UTC'))} AND operation = 'create' AND NOT resync
GROUP BY hour_start, tag
