-- What top_records says of the records that it has found: FROM firehose.records_given(kind = 'like', since = …, until = …, records = [(account, collection, record, made, undone, net, a day with its name)])
(
    uri      String COMMENT 'at:// address of the record',
    made     UInt64 COMMENT 'Likes (or what was asked for) that were made in the hours between',
    undone   UInt64 COMMENT 'Of this kind, taken back in these hours, whenever they were made',
    net      Int64  COMMENT 'made less undone, by which records are ordered',
    accounts UInt64 COMMENT 'Accounts of which one that was made in these hours stood at their end, each once'
)
AS WITH
    found AS
    (
        SELECT one.1 AS account, one.2 AS of, one.3 AS record, one.4 AS made, one.5 AS undone, one.6 AS net, one.7 AS a_day
        FROM (SELECT arrayJoin({records:Array(Tuple(UInt64, LowCardinality(String), UInt64, UInt64, UInt64, Int64, Date))}) AS one)
    ),
    standing AS
    (
        SELECT target, collection, target_record, uniqExact(account) AS accounts
        FROM
        (
            SELECT target, collection, target_record, account FROM ops.edges
            WHERE kind = {kind:String} AND day BETWEEN toDate({since:DateTime('UTC')}) AND toDate({until:DateTime('UTC')})
                AND hour >= {since:DateTime('UTC')} AND hour < {until:DateTime('UTC')}
                AND (target, target_record) IN (SELECT account, record FROM found)
            GROUP BY target, collection, target_record, account, record
            HAVING argMax(change, at) = 1
        )
        GROUP BY target, collection, target_record
    ),
    named AS
    (
        SELECT DISTINCT number, name FROM ops.names
        WHERE (day, number) IN (SELECT a_day, arrayJoin([account, record]) FROM found)
    )
SELECT concat('at://', a.name, '/', of, '/', if(bitTest(found.record, 63), k.name, translate(substring(base32Encode(concat(unhex('0000'),
    reinterpretAsFixedString(byteSwap(found.record)))), 4), 'ABCDEFGHIJKLMNOPQRSTUVWXYZ234567', '234567abcdefghijklmnopqrstuvwxyz'))) AS uri,
    made, undone, net, s.accounts AS accounts
FROM found
LEFT JOIN standing AS s ON s.target = found.account AND s.collection = found.of AND s.target_record = found.record
LEFT JOIN named AS a ON a.number = found.account
LEFT JOIN named AS k ON k.number = found.record
