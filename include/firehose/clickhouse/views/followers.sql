-- Who follows and followed one account, by the tables of events: FROM firehose.followers(did = 'did:plc:…'). At a date: WHERE since < date AND (until IS NULL OR until >= date)
(
    did            String                         COMMENT 'The account that follows it',
    rkey           String                         COMMENT 'Key of the record that says so; empty where it is not a TID',
    since          DateTime64(6, 'UTC')           COMMENT 'When the follow was seen. Older ones, and those that only a resync told of, are not in it',
    until          Nullable(DateTime64(6, 'UTC')) COMMENT 'When its taking back was seen; NULL: it follows',
    account_status String                         COMMENT 'Why the account that follows is not active now, as in account_marks; empty: it is, as far as is known'
)
AS WITH
    found AS
    (
        SELECT account, record, any(rkey) AS key, maxIf(at, change > 0) AS begin, maxIf(at, change < 0) AS ending, sum(change) > 0 AS stands,
            max(day) AS a_day
        FROM ops.edges
        WHERE target = cityHash64({did:String}) AND target_record = 0 AND kind = 'follow'
        GROUP BY account, record
    ),
    named AS (SELECT DISTINCT number, name FROM ops.names WHERE (day, number) IN (SELECT a_day, account FROM found))
SELECT n.name AS did, key AS rkey, begin AS since, if(stands, NULL, ending) AS until, ifNull(m.account_status, '') AS account_status
FROM found
LEFT JOIN named AS n ON n.number = found.account
LEFT JOIN (SELECT did, account_status FROM firehose.account_marks WHERE did IN (SELECT name FROM named)) AS m ON m.did = n.name
ORDER BY since, did
