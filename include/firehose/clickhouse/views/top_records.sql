-- The records that were given most between two moments, exact: FROM firehose.top_records(kind = 'like', since = '2026-11-23 00:00:00', until = '2026-11-24 00:00:00', top = 20)
(
    uri    String COMMENT 'at:// address of the record',
    made   UInt64 COMMENT 'Likes (or what was asked for) that were made in the hours between',
    undone UInt64 COMMENT 'Of this kind, taken back in these hours, whenever they were made',
    net    Int64  COMMENT 'made less undone, by which records are ordered'
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
    named AS
    (
        SELECT DISTINCT number, name FROM ops.names
        WHERE (day, number) IN (SELECT a_day, arrayJoin([account, record]) FROM best)
    )
SELECT concat('at://', a.name, '/', collection, '/', if(key = '', k.name, key)) AS uri, made, undone, net
FROM best LEFT JOIN named AS a ON a.number = best.account LEFT JOIN named AS k ON k.number = best.record
ORDER BY net DESC, uri
