WITH final AS
(
    FROM posts WHERE day = latest() QUALIFY row_number() OVER (PARTITION BY did, rkey ORDER BY rev DESC) = 1
)
SELECT reply_root_uri, count(*), count(DISTINCT did) FROM final
WHERE operation <> 'delete' AND reply_root_uri IS NOT NULL GROUP BY ALL ORDER BY 2 DESC, 1 LIMIT 20
