-- Who had which handle when
-- Accounts that changed theirs, with their status then. What an account was called before its first identity event in the lake is
-- not known, nor its status before its first account event: both are NULL. One handle: FROM who_had(handle = '…').
-- Reads: ops.account_changes whole
SELECT did, handle, status, since, until
FROM firehose.account_history
WHERE did IN (SELECT did FROM firehose.handles GROUP BY did HAVING count() > 1)
ORDER BY did, since NULLS FIRST
LIMIT 100
