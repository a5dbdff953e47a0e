-- The records that were given most between two moments, exact: FROM firehose.top_records(kind = 'like', since = '2026-11-23 00:00:00', until = '2026-11-24 00:00:00', top = 20)
(
    uri      String COMMENT 'at:// address of the record',
    made     UInt64 COMMENT 'Likes (or what was asked for) that were made in the hours between',
    undone   UInt64 COMMENT 'Of this kind, taken back in these hours, whenever they were made',
    net      Int64  COMMENT 'made less undone, by which records are ordered',
    accounts UInt64 COMMENT 'Accounts of which one that was made in these hours stood at their end, each once'
)
AS WITH
    best AS
    (
        SELECT account, collection, record, any(rkey) AS key, sum(e.made) AS made, sum(e.undone) AS undone,
            toInt64(made) - toInt64(undone) AS net, any(day) AS a_day
        FROM ops.engagement_by_hour AS e
        WHERE kind = {kind:String} AND day BETWEEN toDate({since:DateTime('UTC')}) AND toDate({until:DateTime('UTC')})
            AND hour >= {since:DateTime('UTC')} AND hour < {until:DateTime('UTC')}
        GROUP BY account, collection, record
        ORDER BY net DESC, account, record
        LIMIT {top:UInt32}
    ),
    -- Once for both that look them up: a CTE is computed again wherever it is named.
    (SELECT groupArray((a_day, account, record)) FROM best) AS found,
    standing AS
    (
        SELECT target, collection, target_record, uniqExact(account) AS accounts
        FROM
        (
            SELECT target, collection, target_record, account FROM ops.edges
            WHERE kind = {kind:String} AND day BETWEEN toDate({since:DateTime('UTC')}) AND toDate({until:DateTime('UTC')})
                AND hour >= {since:DateTime('UTC')} AND hour < {until:DateTime('UTC')}
                AND (target, target_record) IN (SELECT one.2, one.3 FROM (SELECT arrayJoin(found) AS one))
            GROUP BY target, collection, target_record, account, record
            HAVING argMax(change, at) = 1
        )
        GROUP BY target, collection, target_record
    ),
    named AS
    (
        SELECT DISTINCT number, name FROM ops.names
        WHERE (day, number) IN (SELECT one.1, arrayJoin([one.2, one.3]) FROM (SELECT arrayJoin(found) AS one))
    )
SELECT concat('at://', a.name, '/', best.collection, '/', if(key = '', k.name, key)) AS uri, made, undone, net,
    s.accounts AS accounts
FROM best
LEFT JOIN standing AS s
    ON s.target = best.account AND s.collection = best.collection AND s.target_record = best.record
LEFT JOIN named AS a ON a.number = best.account
LEFT JOIN named AS k ON k.number = best.record
ORDER BY net DESC, uri
