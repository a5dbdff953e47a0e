SELECT day, account, type, collection, operation, resync, count(), min(at), max(at)
FROM {source}
GROUP BY day, account, type, collection, operation, resync
