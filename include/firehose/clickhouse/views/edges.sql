-- One row for each time that an account turned to another: what happened, also where it was undone since
(
    kind         String               COMMENT 'reply, quote, mention, like, repost, follow or block',
    source_did   String               COMMENT 'The account that did it',
    target_did   String               COMMENT 'The account that it turned to; may be the same one',
    uri          String               COMMENT 'at:// address of the record that says so',
    target_uri   String               COMMENT 'The record that it turned to; empty where it is the account itself',
    date         Date                 COMMENT 'UTC day; a condition on it opens only that day''s files',
    hour_start   DateTime('UTC')      COMMENT 'Start of the hour; a condition on it opens only the hour files it needs',
    witnessed_at DateTime64(6, 'UTC') COMMENT 'When it was seen',
    sample       Float64              COMMENT 'A number in [0, 1) that is the source''s own, as in the view posts'
)
AS SELECT tupleElement(turn, 1) AS kind, did AS source_did, tupleElement(turn, 2) AS target_did, uri,
    tupleElement(turn, 3) AS target_uri, date, hour_start, witnessed_at, sample
FROM firehose.posts
ARRAY JOIN arrayFilter(t -> t.2 != '', arrayConcat(
    [('reply', parent_did, ifNull(reply_parent_uri, '')), ('quote', quoted_did, ifNull(quoted_uri, ''))],
    arrayMap(m -> ('mention', m, ''), mentions))) AS turn
WHERE operation = 'create' AND NOT resync
UNION ALL
SELECT 'like', did, subject_did, uri, ifNull(subject_uri, ''), date, hour_start, witnessed_at, sample
FROM firehose.likes WHERE operation = 'create' AND NOT resync AND subject_did != ''
UNION ALL
SELECT 'repost', did, subject_did, uri, ifNull(subject_uri, ''), date, hour_start, witnessed_at, sample
FROM firehose.reposts WHERE operation = 'create' AND NOT resync AND subject_did != ''
UNION ALL
SELECT 'follow', did, subject_did, uri, '', date, hour_start, witnessed_at, sample
FROM firehose.follows WHERE operation = 'create' AND NOT resync AND subject_did != ''
UNION ALL
SELECT 'block', did, subject_did, uri, '', date, hour_start, witnessed_at, sample
FROM firehose.blocks WHERE operation = 'create' AND NOT resync AND subject_did != ''
