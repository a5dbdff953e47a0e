WITH final AS
(
    FROM listitems QUALIFY row_number() OVER (PARTITION BY did, rkey ORDER BY rev DESC) = 1
)
SELECT subject_did, count(DISTINCT list_uri), count(DISTINCT did) FROM final WHERE operation <> 'delete'
GROUP BY 1 ORDER BY 2 DESC, 1 LIMIT 20
