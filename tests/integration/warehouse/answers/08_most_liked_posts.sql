WITH final AS
(
    FROM likes WHERE day = latest() QUALIFY row_number() OVER (PARTITION BY did, rkey ORDER BY rev DESC) = 1
),
top AS
(
    SELECT subject_uri AS uri, count(DISTINCT did) AS n FROM final WHERE operation <> 'delete'
    GROUP BY ALL ORDER BY 2 DESC, 1 LIMIT 20
),
said AS
(
    SELECT uri, text FROM posts WHERE operation <> 'delete' AND day > latest() - 7
    QUALIFY row_number() OVER (PARTITION BY uri ORDER BY rev DESC) = 1
)
SELECT n, uri, coalesce(text), coalesce(handle, '') FROM top LEFT JOIN said USING (uri)
LEFT JOIN named ON named.did = account_of(uri) AND since::DATE <= latest() AND (until IS NULL OR until::DATE > latest())
ORDER BY n DESC, uri
