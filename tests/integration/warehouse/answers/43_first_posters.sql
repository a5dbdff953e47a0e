SELECT did, min(moment) FROM written GROUP BY did ORDER BY 2, 1 LIMIT 20
