-- The first 500 answers in the thread that a post began, by time: post, the one that it answers, author, address, text, whether deleted, and why its account is not active
-- One list: a walk down level by level takes a second where a thread is deep. thread.py makes the tree
-- An answer that an edit took out of the thread is in it, and not deleted; one that was made again elsewhere is deleted here
WITH
    splitByChar('/', {uri:String}) AS parts,
    cityHash64(parts[3]) AS first_account,
    if(match(parts[5], '^[2-7a-j][2-7a-z]{12}$'), byteSwap(reinterpretAsUInt64(substring(
        tryBase32Decode(concat('AAA', translate(parts[5], '234567abcdefghijklmnopqrstuvwxyz',
        'ABCDEFGHIJKLMNOPQRSTUVWXYZ234567'))), 3))), bitOr(cityHash64(parts[5]), 0x8000000000000000)) AS first_record,
    of_thread AS
    (
        SELECT account, record, any(rkey) AS tid, maxIf((day, at), change = 1) AS made, argMax(change, at) < 0 AS gone FROM ops.edges
        WHERE target = first_account AND target_record = first_record AND kind = 'root' AND collection = parts[4]
        GROUP BY account, record
        ORDER BY made, account, record
        LIMIT 500
    ),
    -- Once: a CTE is computed again wherever it is named
    (
        SELECT groupArray((t.account, t.record, n.name, if(t.tid = '', k.name, t.tid), t.made.2, t.gone))
        FROM of_thread AS t
        INNER JOIN
        (
            SELECT DISTINCT number, name FROM ops.names WHERE (day, number) IN (SELECT made.1, account FROM of_thread)
        ) AS n ON n.number = t.account
        LEFT JOIN
        (
            SELECT DISTINCT number, name FROM ops.names WHERE (day, number) IN (SELECT made.1, record FROM of_thread WHERE tid = '')
        ) AS k ON k.number = t.record
    ) AS found,
    answers AS
    (
        SELECT one.1 AS account, one.2 AS record, one.3 AS did, one.4 AS rkey, one.5 AS seen, one.6 AS gone
        FROM (SELECT arrayJoin(found) AS one)
    )
SELECT (t.account, t.record) AS post, a.parent, t.did, concat('at://', t.did, '/app.bsky.feed.post/', t.rkey) AS uri,
    toFloat64(toUnixTimestamp64Micro(t.seen)) / 1e6 AS at, t.gone AS deleted, written.text, ifNull(m.account_status, '') AS status
FROM answers AS t
INNER JOIN
(
    SELECT account, record, argMax((target, target_record), at) AS parent FROM ops.edges
    WHERE kind = 'reply' AND change = 1
        AND (target, target_record) IN (SELECT account, record FROM answers UNION ALL SELECT first_account, first_record)
    GROUP BY account, record
) AS a ON a.account = t.account AND a.record = t.record
LEFT JOIN
(
    SELECT did, rkey, argMax(tuple(text), rev).1 AS text FROM firehose.post_texts
    WHERE (day, hour, at, did) IN
    (
        SELECT toDate(seen), toStartOfHour(seen), seen, did FROM answers
        UNION ALL
        SELECT day, hour, at, did FROM ops.post_changes WHERE (rkey, did) IN (SELECT rkey, did FROM answers) AND operation = 'update'
    )
    GROUP BY did, rkey
) AS written ON written.did = t.did AND written.rkey = t.rkey
LEFT JOIN (SELECT did, account_status FROM firehose.account_marks WHERE did IN (SELECT did FROM answers)) AS m ON m.did = t.did
ORDER BY t.seen, post
SETTINGS join_use_nulls = 1
