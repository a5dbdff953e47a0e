WITH linked AS (SELECT time_us // 3600000000 AS h, unnest(links) AS url FROM written)
SELECT url, regexp_replace(regexp_extract(lower(url), '^https?://([^/]+?)\.?/', 1), '^www\.', ''), count(*)
FROM linked WHERE h > (SELECT max(h) FROM linked) - 24 AND NOT is_gif(url)
GROUP BY url ORDER BY 3 DESC, 1 LIMIT 20
