-- The latest quotes of a post: author, address, text, whether taken back, and why its account is not active
WITH
    splitByChar('/', {uri:String}) AS parts,
    if(match(parts[5], '^[2-7a-j][2-7a-z]{12}$'), byteSwap(reinterpretAsUInt64(substring(
        tryBase32Decode(concat('AAA', translate(parts[5], '234567abcdefghijklmnopqrstuvwxyz',
        'ABCDEFGHIJKLMNOPQRSTUVWXYZ234567'))), 3))), bitOr(cityHash64(parts[5]), 0x8000000000000000)) AS record_of,
    quotes AS
    (
        SELECT account, any(rkey) AS tid, maxIf((day, at), change = 1) AS made, argMax(change, at) < 0 AS gone FROM ops.edges
        WHERE target = cityHash64(parts[3]) AND target_record = record_of AND kind = 'quote' AND collection = parts[4] AND rkey != ''
        GROUP BY account, record
        ORDER BY made DESC, account, record
        LIMIT 50
    ),
    -- Once: a CTE is computed again wherever it is named
    (
        SELECT groupArray((n.name, q.tid, q.made.2, q.gone)) FROM quotes AS q
        INNER JOIN (SELECT DISTINCT number, name FROM ops.names WHERE (day, number) IN (SELECT made.1, account FROM quotes)) AS n
            ON n.number = q.account
    ) AS latest,
    found AS (SELECT one.1 AS did, one.2 AS rkey, one.3 AS seen, one.4 AS gone FROM (SELECT arrayJoin(latest) AS one))
SELECT 1 AS depth, f.did, concat('at://', f.did, '/app.bsky.feed.post/', f.rkey) AS uri,
    toFloat64(toUnixTimestamp64Micro(f.seen)) / 1e6 AS at, f.gone AS deleted, written.text, ifNull(m.account_status, '') AS status
FROM found AS f
LEFT JOIN
(
    SELECT did, rkey, argMax(tuple(text), rev).1 AS text FROM firehose.post_texts
    WHERE (day, hour, at, did) IN
    (
        SELECT toDate(seen), toStartOfHour(seen), seen, did FROM found
        UNION ALL
        SELECT day, hour, at, did FROM ops.post_changes WHERE (rkey, did) IN (SELECT rkey, did FROM found) AND operation = 'update'
    )
    GROUP BY did, rkey
) AS written ON written.did = f.did AND written.rkey = f.rkey
LEFT JOIN (SELECT did, account_status FROM firehose.account_marks WHERE did IN (SELECT did FROM found)) AS m ON m.did = f.did
ORDER BY f.seen DESC, f.did, f.rkey
SETTINGS join_use_nulls = 1
