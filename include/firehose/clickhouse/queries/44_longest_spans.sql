-- Accounts that posted over the longest span
-- Milliseconds between an account's first and last post since the lake begins.
-- Reads: ops.accounts_by_day by key; ops.names by key
WITH longest AS
(
    SELECT account, dateDiff('millisecond', min(first_at), max(last_at)) AS span_ms FROM ops.accounts_by_day
    WHERE collection = 'app.bsky.feed.post' AND operation = 'create' AND NOT resync
    GROUP BY account ORDER BY span_ms DESC LIMIT 20
)
SELECT name AS did, span_ms
FROM longest
INNER JOIN (SELECT DISTINCT number, name FROM ops.names WHERE number IN (SELECT account FROM longest)) AS names
    ON number = account
ORDER BY span_ms DESC, did
