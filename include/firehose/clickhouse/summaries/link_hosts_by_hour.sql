SELECT toDate(hour_start), hour_start, host, count(), uniqExact(did)
FROM firehose.seen_posts
ARRAY JOIN if(empty(link_hosts), [''], link_hosts) AS host
WHERE hour_start IN {hours:Array(DateTime('UTC'))} AND operation = 'create' AND NOT resync AND notEmpty(links)
GROUP BY hour_start, host
