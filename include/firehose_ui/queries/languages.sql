-- Posts by the language that they declare first, in whole hours, beside those of a span before
SELECT toString(lang) AS name, sumIf(posts_first, hour >= {since:DateTime('UTC')} AND hour < {until:DateTime('UTC')}) AS posts,
    sumIf(posts_first, hour >= {before:DateTime('UTC')} AND hour < {before_until:DateTime('UTC')}) AS posts_before
FROM firehose.languages_by_hour
WHERE day BETWEEN toDate({before:DateTime('UTC')}) AND toDate({until:DateTime('UTC')})
GROUP BY lang
HAVING posts > 0 OR posts_before > 0
ORDER BY posts DESC, name
LIMIT 200
