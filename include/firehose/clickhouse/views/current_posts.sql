-- The posts that exist: the latest form of each, as far as the events since the lake begins say
(
    `did` String COMMENT 'The account',
    `rkey` String COMMENT 'Record key',
    `uri` String COMMENT 'at:// address of the record',
    `rev` String COMMENT 'Revision of the repository that wrote it last',
    `edits` UInt64 COMMENT 'Updates of it that were seen',
    `first_seen` DateTime64(6, 'UTC') COMMENT 'When it was first seen under this key, by its resync where only that was',
    `witnessed_at` DateTime64(6, 'UTC') COMMENT 'When its present form was seen, by its resync where only that was',
    `cid` Nullable(String) COMMENT 'As in the view posts',
    `created_at` Nullable(DateTime64(6, 'UTC')) COMMENT 'As in the view posts',
    `text` Nullable(String) COMMENT 'As in the view posts',
    `langs` Array(String) COMMENT 'As in the view posts',
    `languages` Array(String) COMMENT 'As in the view posts',
    `hashtags` Array(String) COMMENT 'As in the view posts',
    `tags` Array(String) COMMENT 'As in the view posts',
    `links` Array(String) COMMENT 'As in the view posts',
    `link_hosts` Array(String) COMMENT 'As in the view posts',
    `link_domains` Array(String) COMMENT 'As in the view posts',
    `mentions` Array(String) COMMENT 'As in the view posts',
    `reply_parent_uri` Nullable(String) COMMENT 'As in the view posts',
    `reply_root_uri` Nullable(String) COMMENT 'As in the view posts',
    `quoted_uri` Nullable(String) COMMENT 'As in the view posts',
    `parent_did` String COMMENT 'As in the view posts',
    `root_did` String COMMENT 'As in the view posts',
    `quoted_did` String COMMENT 'As in the view posts',
    `is_reply` Bool COMMENT 'As in the view posts',
    `has_images` Bool COMMENT 'As in the view posts',
    `has_video` Bool COMMENT 'As in the view posts',
    `has_gif` Bool COMMENT 'As in the view posts',
    `has_link` Bool COMMENT 'As in the view posts',
    `has_quote` Bool COMMENT 'As in the view posts',
    `alt_texts` Array(String) COMMENT 'As in the view posts',
    `embed_type` Nullable(String) COMMENT 'As in the view posts',
    `embed` Nullable(String) COMMENT 'As in the view posts',
    `facets` Nullable(String) COMMENT 'As in the view posts',
    `extra` String COMMENT 'As in the view posts',
    `sample` Float64 COMMENT 'As in the view posts',
    `account_status` String COMMENT 'Why its account is not active, as in account_marks; empty: it is, as far as is known'
)
AS SELECT
    c.did AS did, rkey, concat('at://', c.did, '/app.bsky.feed.post/', rkey) AS uri, last_rev AS rev, last_edits AS edits,
    last_first_seen AS first_seen, last_witnessed_at AS witnessed_at, last_cid AS cid,
    last_created_at AS created_at, last_text AS text, last_langs AS langs, last_languages AS languages,
    last_hashtags AS hashtags, last_tags AS tags, last_links AS links, last_link_hosts AS link_hosts,
    last_link_domains AS link_domains, last_mentions AS mentions, last_reply_parent_uri AS reply_parent_uri,
    last_reply_root_uri AS reply_root_uri, last_quoted_uri AS quoted_uri, last_parent_did AS parent_did,
    last_root_did AS root_did, last_quoted_did AS quoted_did, last_is_reply AS is_reply,
    last_has_images AS has_images, last_has_video AS has_video, last_has_gif AS has_gif,
    last_has_link AS has_link, last_has_quote AS has_quote, last_alt_texts AS alt_texts,
    last_embed_type AS embed_type, last_embed AS embed, last_facets AS facets, last_extra AS extra,
    any_sample AS sample, ifNull(m.account_status, '') AS account_status
FROM
(
    SELECT
        did, rkey, max(rev) AS last_rev, countIf(operation = 'update') AS last_edits,
        if(countIf(NOT resync) = 0, min(witnessed_at), minIf(witnessed_at, NOT resync)) AS last_first_seen,
        if(countIf(NOT resync) = 0, argMax(witnessed_at, rev), argMaxIf(witnessed_at, rev, NOT resync))
            AS last_witnessed_at,
        argMax(tuple(cid), rev).1 AS last_cid, argMax(tuple(created_at), rev).1 AS last_created_at,
        argMax(tuple(text), rev).1 AS last_text, argMax(tuple(langs), rev).1 AS last_langs,
        argMax(tuple(languages), rev).1 AS last_languages, argMax(tuple(hashtags), rev).1 AS last_hashtags,
        argMax(tuple(tags), rev).1 AS last_tags, argMax(tuple(links), rev).1 AS last_links,
        argMax(tuple(link_hosts), rev).1 AS last_link_hosts,
        argMax(tuple(link_domains), rev).1 AS last_link_domains,
        argMax(tuple(mentions), rev).1 AS last_mentions,
        argMax(tuple(reply_parent_uri), rev).1 AS last_reply_parent_uri,
        argMax(tuple(reply_root_uri), rev).1 AS last_reply_root_uri,
        argMax(tuple(quoted_uri), rev).1 AS last_quoted_uri,
        argMax(tuple(parent_did), rev).1 AS last_parent_did, argMax(tuple(root_did), rev).1 AS last_root_did,
        argMax(tuple(quoted_did), rev).1 AS last_quoted_did, argMax(tuple(is_reply), rev).1 AS last_is_reply,
        argMax(tuple(has_images), rev).1 AS last_has_images, argMax(tuple(has_video), rev).1 AS last_has_video,
        argMax(tuple(has_gif), rev).1 AS last_has_gif, argMax(tuple(has_link), rev).1 AS last_has_link,
        argMax(tuple(has_quote), rev).1 AS last_has_quote, argMax(tuple(alt_texts), rev).1 AS last_alt_texts,
        argMax(tuple(embed_type), rev).1 AS last_embed_type, argMax(tuple(embed), rev).1 AS last_embed,
        argMax(tuple(facets), rev).1 AS last_facets, argMax(tuple(extra), rev).1 AS last_extra,
        any(sample) AS any_sample
    FROM firehose.posts
    GROUP BY did, rkey
    HAVING argMax(operation, rev) != 'delete'
) AS c
LEFT JOIN firehose.account_marks AS m ON m.did = c.did
