WITH shared AS
(
    SELECT did, moment, unnest(links) AS url FROM written
    WHERE day = latest() AND len(list_filter(links, lambda x: NOT is_gif(x))) > 0
),
met AS
(
    SELECT one.url, one.did, one.moment FROM shared AS one JOIN shared AS two ON one.url = two.url AND one.did <> two.did
    AND abs(date_diff('second', one.moment, two.moment)) < 60
)
SELECT url, count(DISTINCT did), min(moment), max(moment) FROM met GROUP BY url ORDER BY 2 DESC, 1 LIMIT 20
