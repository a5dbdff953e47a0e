-- Active accounts by day
-- Of the latest 30 days, exactly: each account has one row a day and kind of event. For hours: active_accounts_by_hour.
-- Reads: ops.accounts_by_day by partition
SELECT day, uniqExact(account) AS active, uniqExactIf(account, type = 'posts') AS posting,
    uniqExactIf(account, type = 'likes') AS liking, round(posting / active, 3) AS share_posting
FROM ops.accounts_by_day
WHERE day > (SELECT max(day) FROM ops.accounts_by_day) - 30 AND NOT resync
GROUP BY day
ORDER BY day
