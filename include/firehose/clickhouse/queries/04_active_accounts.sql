-- Active accounts by day
-- Merged from the states of the hours, so an account counts once a day. For hours: active_accounts_by_hour.
SELECT day, maxIf(accounts, type = 'all') AS active, maxIf(accounts, type = 'posts') AS posting,
    maxIf(accounts, type = 'likes') AS liking, round(posting / active, 3) AS share_posting
FROM firehose.active_accounts_by_day
GROUP BY day
ORDER BY day
