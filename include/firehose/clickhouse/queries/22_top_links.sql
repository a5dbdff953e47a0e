-- Most shared links of 24 hours
-- Posts that link to them, each once, also where link and card are the same. GIFs are left out.
-- Reads: firehose.links_by_hour by partition
WITH (SELECT max(hour) FROM firehose.links_by_hour) AS latest
SELECT url, any(domain) AS host, sum(posts) AS linking
FROM firehose.links_by_hour
WHERE day >= toDate(latest - INTERVAL 24 HOUR) AND hour > latest - INTERVAL 24 HOUR
    AND domain NOT IN (SELECT host FROM firehose.gif_hosts)
GROUP BY url
ORDER BY linking DESC, url
LIMIT 20
