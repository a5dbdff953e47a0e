-- The latest known state of each account that had an account event; of all others nothing is known, and most are active
(
    did          String               COMMENT 'The account',
    active       Bool                 COMMENT 'Whether it is active',
    status       String               COMMENT 'Why it is not: deactivated, deleted, takendown, suspended; empty: none said',
    witnessed_at DateTime64(6, 'UTC') COMMENT 'When the event was seen that says so'
)
AS SELECT did, ifNull(argMax(tuple(active), (time_us, seq)).1, true) AS active,
    ifNull(argMax(tuple(status), (time_us, seq)).1, '') AS status, max(witnessed_at) AS witnessed_at
FROM firehose.accounts
GROUP BY did
