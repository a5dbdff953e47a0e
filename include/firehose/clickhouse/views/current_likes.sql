-- The likes that exist: one row for each account and record, whatever was undone and done again between
(
    did         String               COMMENT 'The account that liked it',
    subject_uri String               COMMENT 'The record that is liked',
    subject_did String               COMMENT 'The account of that record',
    since       DateTime64(6, 'UTC') COMMENT 'When the oldest like that exists was seen, by its resync where only that was',
    records     UInt64               COMMENT 'Records that say so: more than one where a client wrote it twice',
    account_status String             COMMENT 'Why its account is not active, as in account_marks; empty: it is, as far as is known'
)
AS SELECT c.did AS did, subject_uri, subject_did, since, records, ifNull(m.account_status, '') AS account_status
FROM
(
    SELECT did, uri AS subject_uri, any(account) AS subject_did, min(seen) AS since, count() AS records
    FROM
    (
        SELECT did, argMax(ifNull(subject_uri, ''), rev) AS uri, argMax(subject_did, rev) AS account,
            if(countIf(NOT resync) = 0, argMax(witnessed_at, rev), argMaxIf(witnessed_at, rev, NOT resync)) AS seen
        FROM firehose.likes
        GROUP BY did, rkey
        HAVING argMax(operation, rev) != 'delete'
    )
    GROUP BY did, subject_uri
) AS c
LEFT JOIN firehose.account_marks AS m ON m.did = c.did
