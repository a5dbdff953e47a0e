-- What a record was given in each hour: likes, reposts, replies, quotes, and how many of them were taken back
SELECT toUnixTimestamp(hour_start) AS at, sumIf(e.made, kind = 'like') AS likes, sumIf(e.made, kind = 'repost') AS reposts,
    sumIf(e.made, kind = 'reply') AS replies, sumIf(e.made, kind = 'quote') AS quotes,
    sumIf(e.undone, kind IN ('like', 'repost', 'reply', 'quote')) AS taken_back
FROM firehose.engagement(uri = {uri:String}) AS e
GROUP BY at
HAVING likes + reposts + replies + quotes + taken_back > 0
ORDER BY at
