WITH shown AS
(
    SELECT uri, list_transform(from_json(media(embed)->'images', '["JSON"]'), lambda x: coalesce(x->>'alt', '')) AS alts
    FROM posts_last WHERE operation <> 'delete' AND media_type(embed) = 'images' AND day > latest() - 7
),
liked AS (SELECT subject_uri, count(*) AS n FROM standing_likes GROUP BY ALL)
SELECT CASE len(list_filter(alts, lambda x: x <> '')) WHEN 0 THEN 'none' WHEN len(alts) THEN 'all' ELSE 'some' END AS d,
    count(*), sum(len(alts)), count(n), round(sum(coalesce(n, 0)) / count(*), 4)
FROM shown LEFT JOIN liked ON subject_uri = uri GROUP BY d ORDER BY d
