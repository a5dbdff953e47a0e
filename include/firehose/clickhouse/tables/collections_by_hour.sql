SELECT day, hour, type, collection, operation, resync, count()
FROM {source}
GROUP BY day, hour, type, collection, operation, resync
