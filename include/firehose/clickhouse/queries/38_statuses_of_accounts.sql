-- States of accounts
-- The latest known one of each account that had an account event. No event says why an account was taken down.
SELECT active, status, count() AS accounts, max(witnessed_at) AS latest
FROM firehose.current_accounts
GROUP BY active, status
ORDER BY accounts DESC, active, status
