WITH final AS
(
    FROM (SELECT 'like' AS kind, did, rkey, rev, day, operation, subject_uri FROM likes
        UNION ALL SELECT 'repost', did, rkey, rev, day, operation, subject_uri FROM reposts)
    WHERE day > latest() - 7 QUALIFY row_number() OVER (PARTITION BY kind, did, rkey ORDER BY rev DESC) = 1
)
SELECT subject_uri, count(DISTINCT did) FILTER (kind = 'like') AS likes,
    count(DISTINCT did) FILTER (kind = 'repost') AS reposts
FROM final WHERE operation <> 'delete' GROUP BY ALL ORDER BY likes + reposts DESC, subject_uri LIMIT 20
