-- The likes that exist: one row for each account and record, whatever was undone and done again between
(
    did         String               COMMENT 'The account that liked it',
    subject_uri String               COMMENT 'The record that is liked',
    subject_did String               COMMENT 'The account of that record',
    since       DateTime64(6, 'UTC') COMMENT 'When the oldest like that exists was seen, by its resync where only that was',
    records     UInt64               COMMENT 'Records that say so: more than one where a client wrote it twice'
)
AS SELECT did, uri AS subject_uri, any(account) AS subject_did, min(seen) AS since, count() AS records
FROM
(
    SELECT did, argMax(ifNull(subject_uri, ''), rev) AS uri, argMax(subject_did, rev) AS account,
        if(countIf(NOT resync) = 0, argMax(witnessed_at, rev), argMaxIf(witnessed_at, rev, NOT resync)) AS seen
    FROM firehose.likes
    GROUP BY did, rkey
    HAVING argMax(operation, rev) != 'delete'
)
GROUP BY did, subject_uri
