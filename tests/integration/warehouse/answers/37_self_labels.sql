WITH labelled AS
(
    SELECT did, unnest(from_json(extra->'labels'->'values', '["JSON"]'))->>'val' AS label FROM written
    WHERE day > latest() - 7 AND (extra->'labels') IS NOT NULL
)
SELECT label, count(*), count(DISTINCT did) FROM labelled GROUP BY label ORDER BY 2 DESC, 1
