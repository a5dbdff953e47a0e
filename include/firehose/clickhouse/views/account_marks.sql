-- Accounts that are not active, as far as is known, and why: the mark of their records, which stay in the views of what exists
(
    did            String               COMMENT 'The account',
    account_status String               COMMENT 'deactivated, deleted, takendown, suspended …, as its latest account event says; inactive where that gives no reason',
    witnessed_at   DateTime64(6, 'UTC') COMMENT 'When that event was seen'
)
AS SELECT did, if(argMax(status, (at, seq)) = '', 'inactive', argMax(status, (at, seq))) AS account_status, max(at) AS witnessed_at
FROM ops.account_changes
WHERE kind = 'account'
GROUP BY did
HAVING NOT argMax(active, (at, seq))
