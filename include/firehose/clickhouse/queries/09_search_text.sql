-- Posts with a word
-- The latest hour, read from its one file. Words are those of Unicode in any script, without case or width, and emoji
-- next to them do not matter; for a phrase, hasSubstr(words, ['good', 'morning']).
SELECT witnessed_at, did, text
FROM firehose.posts
WHERE hour_start = (SELECT max(hour) FROM firehose.languages_by_hour) AND operation = 'create' AND NOT resync
    AND has(tokens(normalizeUTF8NFKCCasefold(ifNull(text, '')), 'icu', 'en'), 'coffee')
ORDER BY witnessed_at DESC, did
LIMIT 20
