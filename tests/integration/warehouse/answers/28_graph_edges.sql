SELECT kind, source, target, count(*) FROM turns WHERE day = latest() AND source <> target
GROUP BY ALL ORDER BY 4 DESC, 1, 2, 3 LIMIT 1000
