SELECT collection, toHour(hour_start) AS hour_of_day, count() AS created
FROM firehose.events
WHERE operation = 'create' AND NOT resync AND type IN ('posts', 'reposts', 'likes')
GROUP BY collection, hour_of_day
ORDER BY hour_of_day, collection
