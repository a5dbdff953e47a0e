-- What a cohort did, was given, and what the accounts wrote that it follows, by the tables of events: FROM firehose.cohort_activity(cohort = 'study')
(
    date         Date                 COMMENT 'UTC day',
    hour_start   DateTime('UTC')      COMMENT 'Start of the hour, whose files in the lake have the rest of the event',
    witnessed_at DateTime64(6, 'UTC') COMMENT 'When the host saw it',
    what         String               COMMENT 'post, reply, like, repost, follow: done by a member. like_received, repost_received, reply_received, quote_received, follower: done to one. network_post: written by an account that a member has followed',
    member_did   String               COMMENT 'The member; empty for network_post',
    did          String               COMMENT 'The account that did it',
    uri          String               COMMENT 'at:// address of the record that says so',
    target_did   String               COMMENT 'The account that it is about, or whose record; empty: none',
    target_uri   String               COMMENT 'The record that it is about; empty: none, or an account'
)
AS WITH
    members AS (SELECT cityHash64(did) FROM firehose.cohorts WHERE cohort = {cohort:String}),
    followed AS (SELECT edges.account[1] FROM ops.events WHERE account IN (members) AND type = 'follows' AND operation = 'create'),
    found AS
    (
        SELECT day, hour, at, account, account AS member, collection AS of, record, rkey AS key,
            multiIf(type = 'likes', 'like', type = 'reposts', 'repost', type = 'follows', 'follow', has(edges.kind, 'reply'), 'reply', 'post') AS what,
            if(what = 'post', 0, if(what = 'reply', indexOf(edges.kind, 'reply'), 1)) AS place,
            edges.account[place] AS target, edges.collection[place] AS target_of, edges.record[place] AS target_record
        FROM ops.events
        WHERE account IN (members) AND type IN ('posts', 'likes', 'reposts', 'follows') AND operation = 'create' AND NOT resync
        UNION ALL
        SELECT day, hour, at, account, target, transform(toString(kind), ['like', 'repost', 'follow'],
                ['app.bsky.feed.like', 'app.bsky.feed.repost', 'app.bsky.graph.follow'], 'app.bsky.feed.post'),
            record, rkey, if(kind = 'follow', 'follower', concat(toString(kind), '_received')), 0, target, collection, target_record
        FROM ops.edges
        WHERE target IN (members) AND kind IN ('like', 'repost', 'reply', 'quote', 'follow') AND change = 1
        UNION ALL
        SELECT day, hour, at, account, 0, collection, record, rkey, 'network_post', 0, 0, '', 0
        FROM ops.events
        WHERE account IN (followed) AND type = 'posts' AND operation = 'create' AND NOT resync
    ),
    named AS
    (
        SELECT number, any(name) AS name FROM ops.names
        WHERE (day, number) IN (SELECT day, arrayJoin([account, record, member, target, target_record]) FROM found)
        GROUP BY number
    )
SELECT day AS date, hour AS hour_start, at AS witnessed_at, what, ifNull(m.name, '') AS member_did, a.name AS did,
    concat('at://', a.name, '/', of, '/', if(bitTest(record, 63), k.name, key)) AS uri, ifNull(t.name, '') AS target_did,
    if(target_of = '', '', concat('at://', t.name, '/', target_of, '/', if(bitTest(target_record, 63), tk.name, translate(substring(base32Encode(
        concat(unhex('0000'), reinterpretAsFixedString(byteSwap(target_record)))), 4), 'ABCDEFGHIJKLMNOPQRSTUVWXYZ234567',
        '234567abcdefghijklmnopqrstuvwxyz')))) AS target_uri
FROM found
LEFT JOIN named AS a ON a.number = found.account
LEFT JOIN named AS m ON m.number = found.member
LEFT JOIN named AS t ON t.number = found.target
LEFT JOIN named AS k ON k.number = found.record
LEFT JOIN named AS tk ON tk.number = found.target_record
