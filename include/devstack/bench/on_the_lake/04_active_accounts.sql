SELECT day, maxIf(accounts, type = 'all') AS active, maxIf(accounts, type = 'posts') AS posting,
    maxIf(accounts, type = 'likes') AS liking, round(posting / active, 3) AS share_posting
FROM firehose.active_accounts_by_day
GROUP BY day
ORDER BY day
