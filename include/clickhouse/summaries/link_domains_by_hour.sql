SELECT toDate(hour_start), hour_start, host, count(), uniqExact(did)
FROM firehose.posts
ARRAY JOIN arrayDistinct(arrayMap(link -> lower(domainWithoutWWW(link)), links)) AS host
WHERE hour_start = {hour:DateTime('UTC')} AND operation = 'create' AND NOT resync AND host != ''
GROUP BY hour_start, host
