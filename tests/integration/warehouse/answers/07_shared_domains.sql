WITH linked AS
(
    SELECT did, len(list_filter(links, lambda x: is_gif(x))) > 0 AS gif, unnest(link_domains) AS domain
    FROM written WHERE day = latest()
)
SELECT domain, count(*), count(DISTINCT did) FROM linked
WHERE NOT (gif AND domain IN ('tenor.com', 'klipy.com', 'giphy.com'))
GROUP BY domain ORDER BY 2 DESC, 1 LIMIT 20
