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
    -- ones. Scalars, since a subquery that is named twice runs twice.
    -- A record has at most a row for each hour in each part; the parts are counted without reading them.
    (
        SELECT count() * (greatest(dateDiff('hour', {since:DateTime('UTC')}, {until:DateTime('UTC')}), 0) + 2)
        FROM
        (
            SELECT _part, count() FROM ops.engagement_by_hour
            WHERE day BETWEEN toDate({since:DateTime('UTC')}) AND toDate({until:DateTime('UTC')})
            GROUP BY _part
        )
    ) AS rows_of_one,
    -- So the records with the largest rows are found among a few rows, and the last wanted one of them says what it takes.
    (
        SELECT min(made)
        FROM
        (
            SELECT made FROM ops.engagement_by_hour
            WHERE kind = {kind:String} AND day BETWEEN toDate({since:DateTime('UTC')}) AND toDate({until:DateTime('UTC')})
            AND hour >= {since:DateTime('UTC')} AND hour < {until:DateTime('UTC')}
            ORDER BY made DESC LIMIT {top:UInt32} * least(rows_of_one, 50)
        )
    ) AS among_the_largest,
    (
        SELECT if(count() < {top:UInt32}, 0, greatest(min(net), 0))
        FROM
        (
            SELECT toInt64(sum(e.made)) - toInt64(sum(e.undone)) AS net
            FROM ops.engagement_by_hour AS e
            WHERE kind = {kind:String} AND day BETWEEN toDate({since:DateTime('UTC')}) AND toDate({until:DateTime('UTC')})
            AND hour >= {since:DateTime('UTC')} AND hour < {until:DateTime('UTC')}
                AND (account, record) IN
                (
                    SELECT account, record
                    FROM
                    (
                        SELECT account, record, made FROM ops.engagement_by_hour
                        PREWHERE made >= among_the_largest
                        WHERE kind = {kind:String} AND day BETWEEN toDate({since:DateTime('UTC')}) AND toDate({until:DateTime('UTC')})
            AND hour >= {since:DateTime('UTC')} AND hour < {until:DateTime('UTC')}
                        LIMIT {top:UInt32} * 200
                    )
                    GROUP BY account, record
                    ORDER BY sum(made) DESC
                    LIMIT {top:UInt32} * 2
                )
            GROUP BY account, record, collection
            ORDER BY net DESC
            LIMIT {top:UInt32}
        )
    ) AS it_takes,
    -- Rows below this one add up to at most half of it in one record, so that a record without a larger row is left out
    -- unread; the others are summed in four million buckets, as if each lacked that half. (OrZero: scalars are 0 in a plan.)
    toUInt64(1 + intDivOrZero(it_takes, 2 * rows_of_one)) AS large,
    (
        SELECT groupArray(bucket)
        FROM
        (
            SELECT toUInt32(bitAnd(cityHash64(account, record), 0x3fffff)) AS bucket
            FROM ops.engagement_by_hour
            PREWHERE made >= large
            WHERE it_takes > 1 AND kind = {kind:String} AND day BETWEEN toDate({since:DateTime('UTC')}) AND toDate({until:DateTime('UTC')})
            AND hour >= {since:DateTime('UTC')} AND hour < {until:DateTime('UTC')}
            GROUP BY bucket
            HAVING sum(made) + rows_of_one * (large - 1) >= it_takes
        )
    ) AS buckets,
    (
        SELECT groupUniqArray((account, record)) FROM ops.engagement_by_hour
        PREWHERE made >= large
        WHERE it_takes > 1 AND kind = {kind:String} AND day BETWEEN toDate({since:DateTime('UTC')}) AND toDate({until:DateTime('UTC')})
            AND hour >= {since:DateTime('UTC')} AND hour < {until:DateTime('UTC')}
            AND toUInt32(bitAnd(cityHash64(account, record), 0x3fffff)) IN (SELECT arrayJoin(buckets))
    ) AS candidates,
    (
        SELECT groupArray((account, collection, record, made, undone, net, a_day))
        FROM
        (
            SELECT account, record, collection, sum(e.made) AS made, sum(e.undone) AS undone,
                toInt64(made) - toInt64(undone) AS net, any(day) AS a_day
            FROM ops.engagement_by_hour AS e
            WHERE kind = {kind:String} AND day BETWEEN toDate({since:DateTime('UTC')}) AND toDate({until:DateTime('UTC')})
            AND hour >= {since:DateTime('UTC')} AND hour < {until:DateTime('UTC')}
                AND (it_takes <= 1 OR (account, record) IN (SELECT one.1, one.2 FROM (SELECT arrayJoin(candidates) AS one)))
            GROUP BY account, record, collection
            ORDER BY net DESC, account, record
            LIMIT {top:UInt32}
        )
    ) AS best
-- A view of its own is given them as a value: what names the subquery again would have it planned again.
SELECT uri, made, undone, net, accounts
FROM firehose.records_given(kind = {kind:String}, since = {since:DateTime('UTC')}, until = {until:DateTime('UTC')}, records = best)
ORDER BY net DESC, uri
