SELECT trim(lower(text)), count(*), count(DISTINCT did) FROM written WHERE day = latest() AND text <> ''
GROUP BY 1 HAVING count(DISTINCT did) > 1 ORDER BY 3 DESC, 1 LIMIT 20
