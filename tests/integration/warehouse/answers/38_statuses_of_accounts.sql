SELECT active, coalesce(status, ''), count(*), max(moment) FROM states GROUP BY 1, 2 ORDER BY 3 DESC, 1, 2
