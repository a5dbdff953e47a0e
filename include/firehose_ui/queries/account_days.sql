-- What an account did on each day of the reader's time zone; what a resync sent again is left out
SELECT toUnixTimestamp(toStartOfDay(e.at, {zone:String})) AS at, count() AS events, countIf(type = 'posts' AND operation = 'create') AS posts,
    countIf(type = 'likes' AND operation = 'create') AS likes, countIf(type = 'reposts' AND operation = 'create') AS reposts,
    countIf(type = 'follows' AND operation = 'create') AS follows, countIf(operation = 'delete') AS deletes
FROM ops.events AS e
WHERE account = cityHash64({did:String}) AND NOT resync
GROUP BY at
ORDER BY at
