WITH by_hour AS
(
    FROM likes WHERE day = latest()
    QUALIFY row_number() OVER (PARTITION BY time_us // 3600000000, did, rkey ORDER BY rev DESC) = 1
),
top AS
(
    SELECT subject_uri, count(DISTINCT did) AS n FROM by_hour WHERE operation <> 'delete'
    GROUP BY subject_uri, time_us // 3600000000 ORDER BY n DESC, subject_uri LIMIT 1
)
SELECT did, since, records FROM standing_likes WHERE subject_uri = (SELECT subject_uri FROM top)
ORDER BY since, did LIMIT 100
