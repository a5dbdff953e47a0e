SELECT type, count(*), count(DISTINCT did), min(moment), max(moment) FROM everything GROUP BY type ORDER BY 2 DESC
