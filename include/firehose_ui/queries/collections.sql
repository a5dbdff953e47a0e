-- Collections by events in whole hours: created, updated, deleted; what a resync sent again is left out
SELECT toString(c.collection) AS name, sum(c.events) AS events, sumIf(c.events, operation = 'create') AS created,
    sumIf(c.events, operation = 'update') AS updated, sumIf(c.events, operation = 'delete') AS deleted
FROM ops.collections_by_hour AS c
WHERE day BETWEEN toDate({since:DateTime('UTC')}) AND toDate({until:DateTime('UTC')})
    AND hour >= {since:DateTime('UTC')} AND hour < {until:DateTime('UTC')} AND collection != '' AND NOT resync
GROUP BY name
ORDER BY events DESC, name
LIMIT 1000
