SELECT toDate(hour_start), hour_start, lang, count(), countIf(lang = spoken[1])
FROM
(
    SELECT hour_start, arrayDistinct(arrayMap(l -> splitByChar('-', l)[1], if(empty(languages), [''], languages))) AS spoken
    FROM firehose.seen_posts
    WHERE hour_start IN {hours:Array(DateTime('UTC'))} AND operation = 'create' AND NOT resync
)
ARRAY JOIN spoken AS lang
GROUP BY hour_start, lang
