-- Records of a collection from the last hour of a span that has one; accounts that are not active are left out
WITH
    (
        SELECT (max(hour), argMax(toString(type), hour)) FROM ops.collections_by_hour
        WHERE day BETWEEN toDate({since:DateTime('UTC')}) AND toDate({until:DateTime('UTC')})
            AND hour >= {since:DateTime('UTC')} AND hour < {until:DateTime('UTC')} AND collection = {collection:String} AND operation = 'create'
    ) AS newest
SELECT uri, toFloat64(time_us) / 1e6 AS at, did, extra
FROM firehose.events
WHERE hour_start = newest.1 AND type = newest.2 AND collection = {collection:String} AND operation = 'create'
    AND did NOT IN (SELECT did FROM firehose.account_marks)
ORDER BY time_us DESC, uri
LIMIT 20
