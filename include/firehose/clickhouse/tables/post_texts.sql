-- The one spelling of what is searched and of what is asked; queries take these two functions from here.
-- Accents go from Latin and Greek letters; of Cyrillic ones the stress, and ё is е, but й, ў and ї are letters of their own. Vowel
-- signs of Arabic and Hebrew, which few write, and the Arabic stretch go. Marks of all other scripts are part of the word.
WITH
    (t -> normalizeUTF8NFC(translateUTF8(
        replaceRegexpAll(replaceRegexpAll(replaceRegexpAll(normalizeUTF8NFD(normalizeUTF8NFKCCasefold(toValidUTF8(t))),
            '([\\p{Latin}\\p{Greek}])\\p{Mn}+', '\\1'),
            '(е)[\\x{300}\\x{301}\\x{308}]+|(\\p{Cyrillic})[\\x{300}\\x{301}]+', '\\1\\2'),
            '[\\x{64B}-\\x{652}\\x{670}\\x{640}\\x{591}-\\x{5BD}\\x{5BF}\\x{5C1}\\x{5C2}\\x{5C4}\\x{5C5}\\x{5C7}]+', ''),
        'øłđħŧı‘’‚‛ʼ“”„‟«»', 'oldhti\'\'\'\'\'""""""'))) AS in_one_spelling,
    (t -> extractAll(replaceRegexpAll(t, '[\\x{FE0E}\\x{FE0F}]', ''),
        '[\\x{1F1E6}-\\x{1F1FF}]{2}|[0-9#*]\\x{20E3}|[\\p{So}\\x{1F000}-\\x{1FAFF}][\\x{1F3FB}-\\x{1F3FF}\\x{E0020}-\\x{E007F}]*(?:\\x{200D}[\\p{So}\\x{1F000}-\\x{1FAFF}][\\x{1F3FB}-\\x{1F3FF}]*)*'
        )) AS emoji_of
SELECT date AS day, hour_start AS hour, witnessed_at AS at, did, rkey, rev, operation, ifNull(text, '') AS text,
    in_one_spelling(ifNull(text, '')) AS words,
    if(arrayExists(a -> a != '', alt_texts), alt_texts, []) AS alt_texts,
    in_one_spelling(arrayStringConcat(alt_texts, '\n')) AS alt_words,
    arrayDistinct(arrayMap(t -> in_one_spelling(t), tags)) AS tags, mentions,
    arrayDistinct(arrayFilter(d -> d != '', arrayConcat(link_hosts, link_domains))) AS domains,
    arrayDistinct(arrayConcat(emoji_of(ifNull(text, '')),
        emoji_of(replaceRegexpAll(ifNull(text, ''), '[\\x{1F3FB}-\\x{1F3FF}]', '')))) AS emoji,
    languages, parent_did, is_reply, has_images, notEmpty(alt_texts) AS has_alt, has_video, has_gif, has_link, has_quote
FROM firehose.seen_posts
WHERE hour_start IN {hours:Array(DateTime('UTC'))} AND operation IN ('create', 'update') AND NOT resync
    AND (empty({batches:Array(DateTime64(3, 'UTC'))}) OR batch IN {batches:Array(DateTime64(3, 'UTC'))})
