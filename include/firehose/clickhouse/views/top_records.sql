-- The records that were given most between two moments, exact: FROM firehose.top_records(kind = 'like', since = '2026-11-23 00:00:00', until = '2026-11-24 00:00:00', top = 20)
(
    uri      String COMMENT 'at:// address of the record',
    made     UInt64 COMMENT 'Likes (or what was asked for) that were made in the hours between',
    undone   UInt64 COMMENT 'Of this kind, taken back in these hours, whenever they were made',
    net      Int64  COMMENT 'made less undone, by which records are ordered',
    accounts UInt64 COMMENT 'Accounts of which one that was made in these hours stood at their end, each once'
)
AS WITH
    -- Grouping all records of a day of the network takes gigabytes, so records are left out that cannot be among the wanted
    -- ones. Those with the largest rows say what the last of these has at least; then all records are summed in four million
    -- buckets, and those are grouped whose bucket has as much. Scalars, since a subquery that is named twice runs twice.
    (
        SELECT if(count() < {top:UInt32}, 0, min(net))
        FROM
        (
            SELECT sum(e.made) - sum(e.undone) AS net
            FROM ops.engagement_by_hour AS e
            WHERE kind = {kind:String} AND day BETWEEN toDate({since:DateTime('UTC')}) AND toDate({until:DateTime('UTC')})
            AND hour >= {since:DateTime('UTC')} AND hour < {until:DateTime('UTC')}
                AND (account, record) IN
                (
                    SELECT account, record FROM ops.engagement_by_hour
                    WHERE kind = {kind:String} AND day BETWEEN toDate({since:DateTime('UTC')}) AND toDate({until:DateTime('UTC')})
            AND hour >= {since:DateTime('UTC')} AND hour < {until:DateTime('UTC')}
                    ORDER BY made DESC LIMIT {top:UInt32} * 2
                )
            GROUP BY account, record, collection
            ORDER BY net DESC
            LIMIT {top:UInt32}
        )
    ) AS least,
    ifNull(least, 0) > 1 AS some_cannot,
    (
        SELECT groupArray(bucket)
        FROM
        (
            SELECT toUInt32(bitAnd(cityHash64(account, record), 0x3fffff)) AS bucket
            FROM ops.engagement_by_hour
            WHERE some_cannot AND kind = {kind:String} AND day BETWEEN toDate({since:DateTime('UTC')}) AND toDate({until:DateTime('UTC')})
            AND hour >= {since:DateTime('UTC')} AND hour < {until:DateTime('UTC')}
            GROUP BY bucket
            HAVING sum(made) >= least
        )
    ) AS buckets,
    (
        SELECT groupArray((account, collection, record, made, undone, net, a_day))
        FROM
        (
            SELECT account, record, collection, sum(e.made) AS made, sum(e.undone) AS undone,
                toInt64(made) - toInt64(undone) AS net, any(day) AS a_day
            FROM ops.engagement_by_hour AS e
            WHERE kind = {kind:String} AND day BETWEEN toDate({since:DateTime('UTC')}) AND toDate({until:DateTime('UTC')})
            AND hour >= {since:DateTime('UTC')} AND hour < {until:DateTime('UTC')}
                AND (NOT some_cannot OR toUInt32(bitAnd(cityHash64(account, record), 0x3fffff)) IN (SELECT arrayJoin(buckets)))
            GROUP BY account, record, collection
            ORDER BY net DESC, account, record
            LIMIT {top:UInt32}
        )
    ) AS best,
    found AS
    (
        SELECT one.1 AS account, one.2 AS of, one.3 AS record, one.4 AS made, one.5 AS undone, one.6 AS net, one.7 AS a_day
        FROM (SELECT arrayJoin(best) AS one)
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
ORDER BY net DESC, uri
