WITH ['theguardian.com', 'nytimes.com', 'bbc.co.uk', 'apnews.com', 'reuters.com', 'nhk.or.jp'] AS news
SELECT date, count() AS created, countIf(hasAny(link_domains, news)) AS linking, round(linking / created, 5) AS share,
    uniqExactIf(did, hasAny(link_domains, news)) AS accounts
FROM firehose.posts
WHERE date >= (SELECT max(day) FROM firehose.events_by_minute) - 6 AND operation = 'create' AND NOT resync
GROUP BY date
ORDER BY date
