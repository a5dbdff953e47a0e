SELECT status, count(*) FILTER (until IS NULL), count(DISTINCT did) FROM histories GROUP BY status ORDER BY 2 DESC, status
