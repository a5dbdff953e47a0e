SELECT toDate(hour_start), hour_start, domain, count(), uniqExact(did),
    countIf(has_gif AND domain IN (SELECT domain FROM firehose.gif_hosts))
FROM firehose.seen_posts
ARRAY JOIN if(empty(link_domains), [''], link_domains) AS domain
WHERE hour_start IN {hours:Array(DateTime('UTC'))} AND operation = 'create' AND NOT resync AND notEmpty(links)
GROUP BY hour_start, domain
