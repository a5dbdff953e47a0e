WITH RECURSIVE root AS
(
    SELECT reply_root_uri AS uri FROM written WHERE day = latest() AND reply_root_uri IS NOT NULL
    GROUP BY 1 ORDER BY count(*) DESC, 1 LIMIT 1
),
members AS
(
    SELECT last.did, last.uri, last.operation = 'delete' AS deleted, said.reply_parent_uri AS parent
    FROM posts_last AS last LEFT JOIN
    (FROM posts WHERE operation <> 'delete' QUALIFY row_number() OVER (PARTITION BY did, rkey ORDER BY rev DESC) = 1) AS said
    USING (did, rkey)
    WHERE last.uri IN (FROM root) OR last.uri IN (SELECT uri FROM posts WHERE reply_root_uri IN (FROM root))
),
tree(uri, depth) AS
(
    SELECT uri, 0 FROM root UNION ALL SELECT members.uri, depth + 1 FROM members JOIN tree ON members.parent = tree.uri
)
SELECT depth, count(*), count(*) FILTER (deleted), count(DISTINCT did) FROM members LEFT JOIN tree USING (uri)
GROUP BY depth ORDER BY depth
