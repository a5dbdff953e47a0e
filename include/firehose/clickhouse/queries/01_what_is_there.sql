-- What is in the lake
-- Events, accounts and the time they span, by record type; what a resync sent again is counted too.
-- Reads: ops.accounts_by_day whole
SELECT type, sum(events) AS seen, uniqExact(account) AS accounts, min(first_at) AS first, max(last_at) AS last
FROM ops.accounts_by_day
GROUP BY type
ORDER BY seen DESC
