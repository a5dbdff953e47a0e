-- The profile of each account that wrote one since the lake begins, as it is now
(
    did          String                         COMMENT 'The account',
    display_name String                         COMMENT 'The name that it shows; empty: none',
    description  String                         COMMENT 'What it says about itself; empty: nothing',
    avatar_cid   String                         COMMENT 'Content identifier of its picture; empty: none',
    pronouns     String                         COMMENT 'Its pronouns, as written; empty: none',
    website      String                         COMMENT 'Its website, as written; empty: none',
    pinned_uri   String                         COMMENT 'The post that it shows first; empty: none',
    starterpack_uri String                      COMMENT 'The starter pack through which it came; empty: none',
    self_labels  Array(String)                  COMMENT 'Labels that the author put on the profile',
    created_at   Nullable(DateTime64(6, 'UTC')) COMMENT 'When the client claims that the profile was made',
    rev          String                         COMMENT 'Revision of the repository that wrote it',
    extra        String                         COMMENT 'As in the view profiles: the parts of the record that it has no column for',
    witnessed_at DateTime64(6, 'UTC')           COMMENT 'When the latest version was seen',
    account_status String                       COMMENT 'Why the account is not active, as in account_marks; empty: it is, as far as is known'
)
AS SELECT c.did AS did, name AS display_name, about AS description, picture AS avatar_cid, they AS pronouns, site AS website,
    pinned AS pinned_uri, pack AS starterpack_uri, labels AS self_labels, claimed AS created_at, latest AS rev,
    rest AS extra, seen AS witnessed_at, ifNull(m.account_status, '') AS account_status
FROM
(
    SELECT did, argMax(ifNull(display_name, ''), rev) AS name, argMax(ifNull(description, ''), rev) AS about,
        argMax(avatar_cid, rev) AS picture, argMax(ifNull(pronouns, ''), rev) AS they,
        argMax(ifNull(website, ''), rev) AS site, argMax(ifNull(pinned_uri, ''), rev) AS pinned,
        argMax(ifNull(starterpack_uri, ''), rev) AS pack, argMax(self_labels, rev) AS labels,
        argMax(tuple(created_at), rev).1 AS claimed, max(rev) AS latest, argMax(extra, rev) AS rest,
        argMax(witnessed_at, rev) AS seen
    FROM firehose.profiles
    WHERE rkey = 'self'
    GROUP BY did
    HAVING argMax(operation, rev) != 'delete'
) AS c
LEFT JOIN firehose.account_marks AS m ON m.did = c.did
