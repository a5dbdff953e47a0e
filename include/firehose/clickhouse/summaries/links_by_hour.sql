-- A link's host is the post's only one, or the one whose name is in it; max, since a host in punycode is not.
SELECT toDate(hour_start), hour_start, url,
    max(if(length(link_hosts) = 1, link_hosts[1], arrayFirst(h -> position(lower(url), h) > 0, link_hosts))),
    count(), uniqExact(did)
FROM firehose.seen_posts
ARRAY JOIN arrayDistinct(links) AS url
WHERE hour_start IN {hours:Array(DateTime('UTC'))} AND operation = 'create' AND NOT resync
GROUP BY hour_start, url
