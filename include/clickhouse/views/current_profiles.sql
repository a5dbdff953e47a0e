-- The profile of each account that wrote one since the lake begins, as it is now
(
    did          String                         COMMENT 'The account',
    display_name String                         COMMENT 'The name that it shows; empty: none',
    description  String                         COMMENT 'What it says about itself; empty: nothing',
    avatar_cid   String                         COMMENT 'Content identifier of its picture; empty: none',
    created_at   Nullable(DateTime64(6, 'UTC')) COMMENT 'When the client claims that the profile was made',
    rev          String                         COMMENT 'Revision of the repository that wrote it',
    extra        String                         COMMENT 'The whole record as a JSON object',
    witnessed_at DateTime64(6, 'UTC')           COMMENT 'When the latest version was seen'
)
AS SELECT did, JSONExtractString(last, 'displayName') AS display_name, JSONExtractString(last, 'description') AS description,
    JSONExtractString(last, 'avatar', 'ref', '$link') AS avatar_cid, claimed AS created_at, latest AS rev, last AS extra,
    seen AS witnessed_at
FROM
(
    SELECT did, argMax(extra, rev) AS last, argMax(tuple(created_at), rev).1 AS claimed, max(rev) AS latest,
        argMax(witnessed_at, rev) AS seen
    FROM firehose.other
    WHERE collection = 'app.bsky.actor.profile' AND rkey = 'self'
    GROUP BY did
    HAVING argMax(operation, rev) != 'delete'
)
