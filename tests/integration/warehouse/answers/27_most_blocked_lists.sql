WITH final AS
(
    FROM other WHERE collection = 'app.bsky.graph.listblock'
    QUALIFY row_number() OVER (PARTITION BY did, rkey ORDER BY rev DESC) = 1
)
SELECT json_extract_string(extra, '$[0].subject'), count(DISTINCT did) FROM final WHERE operation <> 'delete'
GROUP BY 1 ORDER BY 2 DESC, 1 LIMIT 20
