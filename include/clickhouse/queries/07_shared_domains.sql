-- Domains that are linked to
-- On the latest day.
SELECT domain, sum(posts) AS total, max(accounts) AS most_accounts_in_an_hour
FROM firehose.link_domains_by_hour
WHERE day = (SELECT max(day) FROM firehose.link_domains_by_hour)
GROUP BY domain
ORDER BY total DESC, domain
LIMIT 20
