SELECT collection, count() AS created, uniqExact(did) AS accounts
FROM firehose.events
WHERE operation = 'create' AND NOT resync
GROUP BY collection
ORDER BY created DESC, collection
