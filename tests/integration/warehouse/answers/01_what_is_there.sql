SELECT type, count(*), count(DISTINCT did), min(moment), max(moment) FROM received GROUP BY type ORDER BY 2 DESC
