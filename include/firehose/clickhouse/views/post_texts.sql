-- Texts of posts to search: one row for each form of a post that was seen when it was written. See firehose search
(
    day        Date COMMENT 'UTC day, the partition',
    hour       DateTime('UTC') COMMENT 'Start of the hour; a condition on it skips the others',
    at         DateTime64(6, 'UTC') COMMENT 'When it was seen',
    did        String COMMENT 'The account that wrote it',
    rkey       String COMMENT 'Record key',
    rev        String COMMENT 'Revision of the account''s repository that wrote this form',
    operation  String COMMENT 'create, or update: an edit, with the whole text again',
    text       String COMMENT 'The text as written',
    words      String COMMENT 'The text in one spelling: width, case and accents folded, quotes straight. Search it by hasAllTokens and hasPhrase',
    alt_texts  Array(String) COMMENT 'The alternative text of each image or video; empty where there is none',
    alt_words  String COMMENT 'Those texts in one spelling, a line each',
    tags       Array(String) COMMENT 'Tags in one spelling, as words are; each once',
    mentions   Array(String) COMMENT 'Accounts that it mentions',
    domains    Array(String) COMMENT 'Hosts of its links, and their registered domains',
    emoji      Array(String) COMMENT 'Emoji of the text, each once, without variation selectors; those with a skin tone also without it',
    languages  Array(LowCardinality(String)) COMMENT 'Declared languages in canonical form: pt-BR',
    parent_did String COMMENT 'The account that it answers; empty: none',
    is_reply   Bool COMMENT 'Whether it answers another post',
    has_images Bool COMMENT 'Whether it shows images',
    has_alt    Bool COMMENT 'Whether an image or video of it has an alternative text',
    has_video  Bool COMMENT 'Whether it shows a video',
    has_gif    Bool COMMENT 'Whether it shows a GIF of a picker',
    has_link   Bool COMMENT 'Whether it links to anything but GIFs',
    has_quote  Bool COMMENT 'Whether it quotes a record'
)
AS SELECT day, hour, at, did, rkey, rev, operation, text, words, alt_texts, alt_words, tags, mentions, domains,
    emoji, languages, parent_did, is_reply, has_images, has_alt, has_video, has_gif, has_link, has_quote
FROM ops.post_texts
