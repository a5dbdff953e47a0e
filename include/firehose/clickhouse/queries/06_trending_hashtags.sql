-- Trending hashtags
-- Tags of the latest hour against their own mean over the 24 hours before. Several accounts, not one bot.
-- Reads: firehose.hashtags_by_hour by partition
WITH (SELECT max(hour) FROM firehose.hashtags_by_hour) AS latest
SELECT tag, sumIf(posts, hour = latest) AS now, maxIf(accounts, hour = latest) AS by_accounts,
    round(sumIf(posts, hour < latest) / 24, 4) AS usual, round(now / (usual + 1), 4) AS rise
FROM firehose.hashtags_by_hour
WHERE day >= toDate(latest - INTERVAL 24 HOUR) AND hour BETWEEN latest - INTERVAL 24 HOUR AND latest
GROUP BY tag
HAVING by_accounts >= 2
ORDER BY rise DESC, now DESC, tag
LIMIT 20
