-- A thread as a tree, each post below the one that it answers: FROM firehose.thread(uri = 'at://…'), the post that began it
(
    depth        UInt16               COMMENT '1: answers the first post; the first post is not in it',
    did          String               COMMENT 'The account that wrote the post',
    uri          String               COMMENT 'at:// address of the post',
    parent_uri   String               COMMENT 'The post that it answers',
    witnessed_at DateTime64(6, 'UTC') COMMENT 'When it was seen',
    deleted      Bool                 COMMENT 'Whether it was deleted since'
)
AS WITH RECURSIVE
    splitByChar('/', {uri:String}) AS parts,
    cityHash64(parts[3]) AS first_account,
    if(match(parts[5], '^[2-7a-j][2-7a-z]{12}$'), byteSwap(reinterpretAsUInt64(substring(
        tryBase32Decode(concat('AAA', translate(parts[5], '234567abcdefghijklmnopqrstuvwxyz',
        'ABCDEFGHIJKLMNOPQRSTUVWXYZ234567'))), 3))), bitOr(cityHash64(parts[5]), 0x8000000000000000)) AS first_record,
    of_thread AS
    (
        SELECT day, at, account, record, rkey, change FROM ops.edges
        WHERE target = first_account AND target_record = first_record AND kind = 'root' AND collection = parts[4]
    ),
    -- Once for all levels: a CTE is computed again wherever it is named, and at each step of the recursion.
    (
        SELECT groupArray((day, at, account, record, target, target_record)) FROM ops.edges
        WHERE kind = 'reply' AND change = 1 AND (target, target_record) IN
            (SELECT account, record FROM of_thread UNION ALL SELECT first_account, first_record)
            AND (account, record) IN (SELECT account, record FROM of_thread)
    ) AS found,
    replies AS
    (
        SELECT reply.1 AS day, reply.2 AS at, reply.3 AS account, reply.4 AS record, reply.5 AS target, reply.6 AS target_record
        FROM (SELECT arrayJoin(found) AS reply)
    ),
    named AS
    (
        SELECT DISTINCT number, name FROM ops.names
        WHERE (day, number) IN (SELECT day, arrayJoin([account, record, target, target_record]) FROM replies)
    ),
    tree AS
    (
        SELECT toUInt16(0) AS level, first_account AS node, first_record AS node_record, toDateTime64(0, 6, 'UTC') AS seen,
            toUInt64(0) AS above, toUInt64(0) AS above_record, [('', toUInt64(0))] AS place
        UNION ALL
        SELECT toUInt16(t.level + 1), r.account, r.record, r.at, t.node, t.node_record,
            arrayPushBack(t.place, (toString(r.at), r.record))
        FROM replies AS r JOIN tree AS t ON r.target = t.node AND r.target_record = t.node_record
        WHERE t.level < 500
    )
SELECT level AS depth, a.name AS did,
    concat('at://', did, '/app.bsky.feed.post/', if(bitTest(node_record, 63), k.name, translate(substring(base32Encode(concat(unhex('0000'),
        reinterpretAsFixedString(byteSwap(node_record)))), 4), 'ABCDEFGHIJKLMNOPQRSTUVWXYZ234567', '234567abcdefghijklmnopqrstuvwxyz'))) AS uri,
    if(level = 1, {uri:String}, concat('at://', pa.name, '/app.bsky.feed.post/', if(bitTest(above_record, 63), pk.name,
        translate(substring(base32Encode(concat(unhex('0000'),
        reinterpretAsFixedString(byteSwap(above_record)))), 4), 'ABCDEFGHIJKLMNOPQRSTUVWXYZ234567', '234567abcdefghijklmnopqrstuvwxyz')))) AS parent_uri,
    seen AS witnessed_at, toBool((node, node_record) IN (SELECT account, record FROM of_thread WHERE change = -1)) AS deleted
FROM tree
LEFT JOIN named AS a ON a.number = tree.node
LEFT JOIN named AS k ON k.number = tree.node_record
LEFT JOIN named AS pa ON pa.number = tree.above
LEFT JOIN named AS pk ON pk.number = tree.above_record
WHERE level > 0
ORDER BY place
