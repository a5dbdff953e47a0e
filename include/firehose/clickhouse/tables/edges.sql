SELECT day, hour, at, edges.kind, edges.account, edges.collection, edges.record, account, record_after,
    if(operation = 'delete', -1, 1)
FROM {source}
ARRAY JOIN edges
WHERE operation IN ('create', 'delete') AND NOT resync
