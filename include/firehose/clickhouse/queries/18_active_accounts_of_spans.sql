-- Daily, weekly and monthly active accounts
-- Accounts with an event in the last day, 7 days and 30 days, by record type. Days cannot be added up, so accounts are
-- counted over each span, exactly.
-- Reads: ops.accounts_by_day by partition
WITH (SELECT max(day) FROM ops.accounts_by_day) AS latest
SELECT kind, uniqExactIf(account, day = latest) AS daily, uniqExactIf(account, day > latest - 7) AS weekly,
    uniqExact(account) AS monthly, round(daily / monthly, 4) AS stickiness
FROM ops.accounts_by_day
ARRAY JOIN [toString(type), 'all'] AS kind
WHERE day > latest - 30 AND NOT resync
GROUP BY kind
ORDER BY monthly DESC, kind
