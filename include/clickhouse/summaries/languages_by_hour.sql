SELECT toDate(hour_start), hour_start, lang, count()
FROM firehose.posts
ARRAY JOIN if(empty(langs), [''], arrayDistinct(langs)) AS lang
WHERE hour_start = {hour:DateTime('UTC')} AND operation = 'create' AND NOT resync
GROUP BY hour_start, lang
