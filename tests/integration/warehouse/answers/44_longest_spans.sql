SELECT did, max(time_us) // 1000 - min(time_us) // 1000 FROM written GROUP BY did ORDER BY 2 DESC, 1 LIMIT 20
