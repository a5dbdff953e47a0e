-- Events and accounts by collection
-- Records created since the lake begins, and the accounts that created them, exactly.
-- Reads: ops.accounts_by_day by key
SELECT collection, sum(events) AS created, uniqExact(account) AS accounts
FROM ops.accounts_by_day
WHERE operation = 'create' AND NOT resync
GROUP BY collection
ORDER BY created DESC, collection
