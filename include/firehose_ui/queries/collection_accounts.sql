-- Events and accounts of one collection in each hour; what a resync sent again is left out
SELECT toUnixTimestamp(hour) AS at, count() AS events, uniqExact(account) AS accounts
FROM ops.events
WHERE day BETWEEN toDate({since:DateTime('UTC')}) AND toDate({until:DateTime('UTC')})
    AND hour >= {since:DateTime('UTC')} AND hour < {until:DateTime('UTC')} AND collection = {collection:String} AND NOT resync
GROUP BY at
ORDER BY at
