WITH used AS (SELECT time_us // 3600000000 AS h, did, unnest(tags) AS tag FROM written),
last AS (SELECT max(h) AS h FROM used),
counted AS
(
    SELECT tag, count(*) FILTER (used.h = last.h) AS now, count(DISTINCT did) FILTER (used.h = last.h) AS accounts,
        count(*) FILTER (used.h < last.h) / 24 AS usual
    FROM used, last WHERE used.h >= last.h - 24 GROUP BY tag
)
SELECT tag, now, accounts, round(usual, 4), round(now / (usual + 1), 4) AS rise
FROM counted WHERE accounts >= 2 ORDER BY rise DESC, now DESC, tag LIMIT 20
