-- States of accounts
-- How many accounts are in each now, and were at any time. No event says why an account was taken down. NULL: not known. Now that
-- is so of accounts that had identity events only; before its first account event, of every account.
-- Reads: ops.account_changes whole
SELECT status, countIf(until IS NULL) AS accounts, uniqExact(did) AS at_any_time
FROM firehose.account_history
GROUP BY status
ORDER BY accounts DESC, status
