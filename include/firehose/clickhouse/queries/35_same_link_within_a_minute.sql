-- Accounts that post the same link within a minute
-- On the latest day: links that at least two accounts posted within 60 seconds of each other. Popular links meet by
-- chance; look for few links and always the same accounts. From the lake: no table has addresses of links by moment.
-- Reads: posts of 1 day, twice
WITH shared AS
(
    SELECT did, witnessed_at, arrayJoin(links) AS url FROM firehose.posts
    WHERE date = (SELECT max(day) FROM firehose.events_by_minute) AND operation = 'create' AND NOT resync AND has_link
)
SELECT one.url AS url, uniqExact(one.did) AS accounts, min(one.witnessed_at) AS first, max(one.witnessed_at) AS last
FROM shared AS one
INNER JOIN shared AS another ON another.url = one.url
WHERE one.did != another.did AND abs(dateDiff('second', one.witnessed_at, another.witnessed_at)) < 60
GROUP BY url
ORDER BY accounts DESC, url
LIMIT 20
