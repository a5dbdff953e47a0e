SELECT witnessed_at, did, text
FROM firehose.posts
WHERE hour_start = (SELECT max(hour) FROM firehose.languages_by_hour) AND operation = 'create' AND NOT resync
    AND has(tokens(normalizeUTF8NFKCCasefold(ifNull(text, '')), 'icu', 'en'), 'coffee')
ORDER BY witnessed_at DESC, did
LIMIT 20
