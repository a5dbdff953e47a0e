SELECT toDate(hour_start), hour_start, url, lower(domainWithoutWWW(url)), count() AS shares, uniqExact(did)
FROM firehose.posts
ARRAY JOIN arrayDistinct(links) AS url
WHERE hour_start = {hour:DateTime('UTC')} AND operation = 'create' AND NOT resync
GROUP BY hour_start, url
ORDER BY shares DESC, url
LIMIT 1000
