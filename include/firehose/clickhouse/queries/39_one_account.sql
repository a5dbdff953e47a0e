-- Everything that one account did
-- The account with the most events on the latest day, over all days, latest first. With each event comes what it was about:
-- kinds and targets.
-- Reads: ops.events by key
WITH
    (SELECT max(day) FROM ops.accounts_by_day) AS latest,
    (
        SELECT account FROM ops.accounts_by_day WHERE day = latest AND NOT resync
        GROUP BY account ORDER BY sum(events) DESC, account LIMIT 1
    ) AS busiest,
    (SELECT any(name) FROM ops.names WHERE day = latest AND number = busiest) AS busiest_did
SELECT witnessed_at, type, operation, uri
FROM firehose.account_events(did = busiest_did)
WHERE NOT resync
ORDER BY witnessed_at DESC, uri
LIMIT 100
