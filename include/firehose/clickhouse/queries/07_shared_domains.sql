-- Domains that are linked to
-- Registered domains on the latest day, without GIFs. Accounts are counted over the whole day, so from
-- the posts in the lake; the tables of events do not say which of a post's hosts is a registered domain.
-- Reads: posts of 1 day
SELECT domain, count() AS linking, uniqExact(did) AS accounts
FROM firehose.posts
ARRAY JOIN link_domains AS domain
WHERE date = (SELECT max(day) FROM firehose.link_domains_by_hour) AND operation = 'create' AND NOT resync
    AND NOT (has_gif AND domain IN (SELECT domain FROM firehose.gif_hosts))
GROUP BY domain
ORDER BY linking DESC, domain
LIMIT 20
