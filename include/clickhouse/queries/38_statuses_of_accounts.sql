-- States of accounts
-- The latest known one of each account that had an account event. Why an account was taken down no event says.
SELECT active, status, count() AS accounts, max(witnessed_at) AS latest
FROM firehose.current_accounts
GROUP BY active, status
ORDER BY accounts DESC, active, status
