SELECT type, count() AS events, uniq(did) AS accounts, min(witnessed_at) AS first, max(witnessed_at) AS last
FROM firehose.events
GROUP BY type
ORDER BY events DESC
