SELECT trimBoth(normalizeUTF8NFKCCasefold(text)) AS said, count() AS times, uniqExact(did) AS accounts
FROM firehose.posts
WHERE date = (SELECT max(day) FROM firehose.events_by_minute) AND operation = 'create' AND NOT resync AND text != ''
GROUP BY said
HAVING accounts > 1
ORDER BY accounts DESC, said
LIMIT 20
