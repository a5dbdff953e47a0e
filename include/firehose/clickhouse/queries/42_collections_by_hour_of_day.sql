-- Posts, reposts and likes by hour of the day
-- Records created since the lake begins; hours are UTC.
-- Reads: ops.collections_by_hour whole
SELECT collection, toHour(hour) AS hour_of_day, sum(events) AS created
FROM ops.collections_by_hour
WHERE operation = 'create' AND NOT resync AND type IN ('posts', 'reposts', 'likes')
GROUP BY collection, hour_of_day
ORDER BY hour_of_day, collection
