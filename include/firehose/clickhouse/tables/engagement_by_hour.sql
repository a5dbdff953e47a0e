SELECT day, hour, edges.account AS of_account, edges.collection AS of_collection, edges.record AS of_record,
    edges.kind AS of_kind, countIf(operation = 'create'), countIf(operation = 'delete')
FROM {source}
ARRAY JOIN edges
WHERE operation IN ('create', 'delete') AND NOT resync AND edges.record != 0
GROUP BY day, hour, of_account, of_collection, of_record, of_kind
