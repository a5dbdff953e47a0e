-- Texts to search: each form of a post with its text in one spelling (`words`), which has the text index; and what
-- became of posts, so that a search leaves out what was edited or deleted since. Positions of words are not in the index:
-- a phrase is looked up by its words, and compared in the posts that have them all.
CREATE TABLE IF NOT EXISTS ops.post_texts
(
    day         Date                   COMMENT 'UTC day, the partition' CODEC(ZSTD(1)),
    hour        DateTime('UTC')        COMMENT 'Start of the hour; a condition on it skips the others' CODEC(ZSTD(1)),
    at          DateTime64(6, 'UTC')   COMMENT 'When it was seen' CODEC(DoubleDelta, ZSTD(1)),
    did         String                 COMMENT 'The account that wrote it' CODEC(ZSTD(3)),
    rkey        String                 COMMENT 'Record key' CODEC(ZSTD(3)),
    rev         String                 COMMENT 'Revision of the account''s repository that wrote this form' CODEC(ZSTD(3)),
    operation   Enum8('create' = 1, 'update' = 2) COMMENT 'create, or update: an edit, with the whole text again' CODEC(ZSTD(1)),
    text        String                 COMMENT 'The text as written' CODEC(ZSTD(9)),
    words       String                 COMMENT 'The text in one spelling: width, case and accents folded, quotes straight. Search it by hasAllTokens and hasPhrase' CODEC(ZSTD(9)),
    alt_texts   Array(String)          COMMENT 'The alternative text of each image or video; empty where there is none' CODEC(ZSTD(9)),
    alt_words   String                 COMMENT 'Those texts in one spelling, a line each' CODEC(ZSTD(9)),
    tags        Array(String)          COMMENT 'Tags in one spelling, as words are; each once' CODEC(ZSTD(3)),
    mentions    Array(String)          COMMENT 'Accounts that it mentions' CODEC(ZSTD(3)),
    domains     Array(String)          COMMENT 'Hosts of its links, and their registered domains' CODEC(ZSTD(3)),
    emoji       Array(String)          COMMENT 'Emoji of the text, each once, without variation selectors; those with a skin tone also without it' CODEC(ZSTD(3)),
    languages   Array(LowCardinality(String)) COMMENT 'Declared languages in canonical form: pt-BR' CODEC(ZSTD(3)),
    parent_did  String                 COMMENT 'The account that it answers; empty: none' CODEC(ZSTD(3)),
    is_reply    Bool                   COMMENT 'Whether it answers another post' CODEC(ZSTD(1)),
    has_images  Bool                   COMMENT 'Whether it shows images' CODEC(ZSTD(1)),
    has_alt     Bool                   COMMENT 'Whether an image or video of it has an alternative text' CODEC(ZSTD(1)),
    has_video   Bool                   COMMENT 'Whether it shows a video' CODEC(ZSTD(1)),
    has_gif     Bool                   COMMENT 'Whether it shows a GIF of a picker' CODEC(ZSTD(1)),
    has_link    Bool                   COMMENT 'Whether it links to anything but GIFs' CODEC(ZSTD(1)),
    has_quote   Bool                   COMMENT 'Whether it quotes a record' CODEC(ZSTD(1)),
    INDEX did did TYPE bloom_filter(0.01),
    INDEX parent_did parent_did TYPE bloom_filter(0.01),
    INDEX words words TYPE text(tokenizer = icu('en')),
    INDEX alt_words alt_words TYPE text(tokenizer = icu('en')),
    INDEX tags tags TYPE text(tokenizer = 'array'),
    INDEX mentions mentions TYPE text(tokenizer = 'array'),
    INDEX domains domains TYPE text(tokenizer = 'array'),
    INDEX emoji emoji TYPE text(tokenizer = 'array')
)
ENGINE = MergeTree PARTITION BY day ORDER BY (hour, at, did)
COMMENT 'Texts of posts to search: one row for each form of a post that was seen when it was written';

CREATE TABLE IF NOT EXISTS ops.post_changes
(
    day       Date                 COMMENT 'UTC day, the partition' CODEC(ZSTD(1)),
    hour      DateTime('UTC')      COMMENT 'Start of the hour' CODEC(ZSTD(1)),
    at        DateTime64(6, 'UTC') COMMENT 'When the change was seen' CODEC(Delta, ZSTD(1)),
    did       String               COMMENT 'The account' CODEC(ZSTD(3)),
    rkey      String               COMMENT 'Record key of the post' CODEC(ZSTD(3)),
    rev       String               COMMENT 'Revision of the account''s repository that changed it: forms of the post with a lower one are no more' CODEC(ZSTD(3)),
    operation Enum8('update' = 2, 'delete' = 3) COMMENT 'update or delete' CODEC(ZSTD(1))
)
ENGINE = MergeTree PARTITION BY day ORDER BY (rkey, did, rev)
COMMENT 'Edits and deletions of posts: what makes an earlier form of a post no more';
