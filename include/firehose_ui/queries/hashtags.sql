-- Hashtags by posts in whole hours, most, rising or falling against a span before; that span's posts times scale are compared
-- one of order: most, rising, falling
SELECT tag AS name, sumIf(t.posts, hour >= {since:DateTime('UTC')} AND hour < {until:DateTime('UTC')}) AS posts,
    sumIf(t.posts, hour >= {before:DateTime('UTC')} AND hour < {before_until:DateTime('UTC')}) AS posts_before,
    maxIf(t.accounts, hour >= {since:DateTime('UTC')} AND hour < {until:DateTime('UTC')}) AS accounts_an_hour
FROM firehose.hashtags_by_hour AS t
WHERE day BETWEEN toDate({before:DateTime('UTC')}) AND toDate({until:DateTime('UTC')})
GROUP BY tag
HAVING multiIf({order:String} = 'most', posts > 0, {order:String} = 'rising', accounts_an_hour >= 2, posts_before >= 2)
ORDER BY multiIf({order:String} = 'most', toFloat64(posts), {order:String} = 'rising',
        (posts - posts_before * {scale:Float64}) / sqrt(posts_before * {scale:Float64} + 1),
        (posts_before * {scale:Float64} - posts) / sqrt(posts_before * {scale:Float64} + 1)) DESC, posts DESC, name
LIMIT 20
