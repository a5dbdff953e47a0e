-- Edits and deletions of posts as they were seen: what ends an earlier form of a post
(
    day       Date                 COMMENT 'UTC day',
    hour      DateTime('UTC')      COMMENT 'Start of the hour',
    at        DateTime64(6, 'UTC') COMMENT 'When the change was seen',
    did       String               COMMENT 'The account',
    rkey      String               COMMENT 'Record key of the post',
    rev       String               COMMENT 'Revision of the account''s repository that changed it: forms of the post with a lower one no longer exist',
    operation String               COMMENT 'update or delete'
)
AS SELECT day, hour, at, did, rkey, rev, operation FROM ops.post_changes
