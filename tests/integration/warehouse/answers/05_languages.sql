WITH declared AS
(
    SELECT unnest(list_distinct(list_transform(coalesce(nullif(languages, []), ['']), lambda x: split_part(x, '-', 1)))) AS l
    FROM written WHERE day = latest()
)
SELECT CASE l WHEN '' THEN '(none)' ELSE l END, count(*),
    round(count(*) / (SELECT count(*) FROM written WHERE day = latest()), 4)
FROM declared GROUP BY l ORDER BY 2 DESC, 1 LIMIT 20
