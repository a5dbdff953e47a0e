WITH RECURSIVE root AS
(
    SELECT reply_root_uri AS uri FROM written WHERE day = latest() AND reply_root_uri IS NOT NULL
    GROUP BY 1 ORDER BY count(*) DESC, 1 LIMIT 1
),
members AS
(
    SELECT did, uri, reply_parent_uri AS parent,
        EXISTS (FROM posts AS d WHERE d.uri = c.uri AND d.operation = 'delete' AND d.rev > c.rev) AS deleted
    FROM written AS c WHERE reply_root_uri IN (FROM root)
),
tree(uri, depth) AS
(
    SELECT uri, 0 FROM root
    UNION ALL SELECT members.uri, depth + 1 FROM members JOIN tree ON members.parent = tree.uri
)
SELECT depth, count(DISTINCT uri), count(DISTINCT uri) FILTER (deleted), count(DISTINCT did)
FROM members JOIN tree USING (uri) GROUP BY depth ORDER BY depth
