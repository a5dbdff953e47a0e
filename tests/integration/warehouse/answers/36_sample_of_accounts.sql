SELECT type, count(*) FILTER (sampled(did) < 0.05), 20 * count(*) FILTER (sampled(did) < 0.05), count(*),
    count(DISTINCT did) FILTER (sampled(did) < 0.05)
FROM everything WHERE day = latest() GROUP BY type ORDER BY 4 DESC, 1
