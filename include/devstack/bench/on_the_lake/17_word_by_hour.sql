SELECT hour_start, count() AS posts_created,
    countIf(has(tokens(normalizeUTF8NFKCCasefold(ifNull(text, '')), 'icu', 'en'), 'coffee')) AS with_word,
    round(with_word / posts_created, 5) AS share
FROM firehose.posts
WHERE date >= (SELECT max(day) FROM firehose.events_by_minute) - 6 AND operation = 'create' AND NOT resync
GROUP BY hour_start
ORDER BY hour_start
