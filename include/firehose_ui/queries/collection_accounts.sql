-- Events and accounts of one collection in each hour; what a resync sent again is left out
WITH
    by_type AS
    (
        SELECT day, hour, type, sumIf(c.events, collection = {collection:String}) AS events, uniqExact(collection) > 1 AS shared
        FROM ops.collections_by_hour AS c
        WHERE day BETWEEN toDate({since:DateTime('UTC')}) AND toDate({until:DateTime('UTC')})
            AND hour >= {since:DateTime('UTC')} AND hour < {until:DateTime('UTC')} AND NOT resync
        GROUP BY day, hour, type
        HAVING events > 0
    ),
    hours AS
    (
        SELECT day, hour, any(t.type) AS type, sum(t.events) AS events, max(shared) OR count() > 1 AS shared
        FROM by_type AS t
        GROUP BY day, hour
    )
SELECT toUnixTimestamp(h.hour) AS at, h.events, if(h.shared, counted.accounts, alone.accounts) AS accounts
FROM hours AS h
LEFT JOIN
(
    SELECT hour, type, sum(s.accounts) AS accounts FROM ops.account_states_by_hour AS s
    WHERE (day, hour, type) IN (SELECT day, hour, type FROM hours)
    GROUP BY hour, type
) AS alone ON alone.hour = h.hour AND alone.type = h.type
LEFT JOIN
(
    -- Only of types that have other collections too: of all others the summary knows the accounts
    SELECT hour, uniqExact(account) AS accounts FROM ops.events
    WHERE day IN (SELECT day FROM hours WHERE shared) AND hour IN (SELECT hour FROM hours WHERE shared)
        AND collection = {collection:String} AND NOT resync
    GROUP BY hour
) AS counted ON counted.hour = h.hour
ORDER BY at
