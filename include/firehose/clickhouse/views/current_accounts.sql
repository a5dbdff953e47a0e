-- The latest known state of each account that had an account event; of all others nothing is known, and most are active
(
    did          String               COMMENT 'The account',
    active       Bool                 COMMENT 'Whether it is active',
    status       String               COMMENT 'Why it is not: deactivated, deleted, takendown, suspended; empty: none said',
    witnessed_at DateTime64(6, 'UTC') COMMENT 'When the event was seen that says so'
)
AS SELECT did, argMax(active, (at, seq)) AS active, argMax(status, (at, seq)) AS status, max(at) AS witnessed_at
FROM ops.account_changes
WHERE kind = 'account'
GROUP BY did
