-- Trending hashtags
-- Tags of the latest hour against their own mean over the day's earlier hours. Several accounts, not one bot.
WITH (SELECT max(hour) FROM firehose.hashtags_by_hour) AS latest
SELECT tag, sumIf(posts, hour = latest) AS now, maxIf(accounts, hour = latest) AS by_accounts,
    round(sumIf(posts, hour < latest) / greatest(uniqIf(hour, hour < latest), 1), 1) AS usual,
    round(now / (usual + 1), 1) AS rise
FROM firehose.hashtags_by_hour
WHERE hour > latest - INTERVAL 24 HOUR
GROUP BY tag
HAVING by_accounts >= 2
ORDER BY rise DESC, now DESC, tag
LIMIT 20
