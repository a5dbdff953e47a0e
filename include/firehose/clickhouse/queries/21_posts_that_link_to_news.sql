-- Posts that link to one of many domains
-- By day: how many, which share, by how many accounts. A list of thousands goes into a table of its own, temporary or
-- sent along as external data: hasAny(domains, (SELECT groupArray(domain) FROM news)).
-- Reads: ops.post_texts by partition, index domains; ops.collections_by_hour by partition
WITH
    ['theguardian.com', 'nytimes.com', 'bbc.co.uk', 'apnews.com', 'reuters.com', 'nhk.or.jp'] AS news,
    (SELECT max(day) FROM firehose.events_by_minute) AS latest
SELECT day, sum(events) AS created, any(found) AS linking, round(linking / created, 5) AS share, any(by) AS accounts
FROM ops.collections_by_hour
LEFT JOIN
(
    SELECT day, count() AS found, uniqExact(did) AS by FROM firehose.post_texts
    WHERE day > latest - 7 AND operation = 'create' AND hasAny(domains, news)
    GROUP BY day
) AS linked USING (day)
WHERE day > latest - 7 AND collection = 'app.bsky.feed.post' AND operation = 'create' AND NOT resync
GROUP BY day
ORDER BY day
