-- Registered domains by posts that link to them, GIFs left out, most, rising or falling against a span before
-- one of order: most, rising, falling
SELECT domain AS name, sumIf(t.posts - t.gifs, hour >= {since:DateTime('UTC')} AND hour < {until:DateTime('UTC')}) AS posts,
    sumIf(t.posts - t.gifs, hour >= {before:DateTime('UTC')} AND hour < {before_until:DateTime('UTC')}) AS posts_before,
    maxIf(t.accounts, hour >= {since:DateTime('UTC')} AND hour < {until:DateTime('UTC')}) AS accounts_an_hour
FROM firehose.link_domains_by_hour AS t
WHERE day BETWEEN toDate({before:DateTime('UTC')}) AND toDate({until:DateTime('UTC')}) AND domain != ''
GROUP BY domain
HAVING multiIf({order:String} = 'most', posts > 0, {order:String} = 'rising', posts > 0 AND accounts_an_hour >= 2, posts_before >= 2)
ORDER BY multiIf({order:String} = 'most', toFloat64(posts), {order:String} = 'rising',
        (posts - posts_before * {scale:Float64}) / sqrt(posts_before * {scale:Float64} + 1),
        (posts_before * {scale:Float64} - posts) / sqrt(posts_before * {scale:Float64} + 1)) DESC, posts DESC, name
LIMIT 20
