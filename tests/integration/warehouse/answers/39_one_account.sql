SELECT moment, type, operation, uri FROM everything WHERE did =
    (SELECT did FROM everything WHERE day = latest() GROUP BY did ORDER BY count(*) DESC, did LIMIT 1)
ORDER BY time_us DESC, uri LIMIT 100
