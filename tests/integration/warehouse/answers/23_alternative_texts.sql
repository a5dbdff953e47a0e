WITH shown AS
(
    SELECT uri, list_transform(from_json(media(embed)->'images', '["JSON"]'), lambda x: coalesce(x->>'alt', '')) AS alts
    FROM posts_last WHERE operation <> 'delete' AND media_type(embed) = 'images' AND day > latest() - 7
),
made AS (FROM likes WHERE operation = 'create'),
changes AS
(
    SELECT subject_uri AS uri, 1 AS change FROM made
    UNION ALL
    SELECT made.subject_uri, -1 FROM (FROM likes WHERE operation = 'delete') AS d
    ASOF JOIN made ON made.did = d.did AND made.rkey = d.rkey AND made.rev < d.rev
),
liked AS (SELECT uri, sum(change) AS n FROM changes GROUP BY ALL)
SELECT CASE len(list_filter(alts, lambda x: x <> '')) WHEN 0 THEN 'none' WHEN len(alts) THEN 'all' ELSE 'some' END AS d,
    count(*), sum(len(alts)), count(*) FILTER (n > 0), round(sum(coalesce(n, 0)) / count(*), 4)
FROM shown LEFT JOIN liked USING (uri) GROUP BY d ORDER BY d
