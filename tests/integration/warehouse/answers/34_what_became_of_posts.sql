WITH born AS
(
    FROM written WHERE day > latest() - 7 QUALIFY row_number() OVER (PARTITION BY did, rkey ORDER BY rev DESC) = 1
),
ended AS (FROM posts WHERE day > latest() - 7 QUALIFY row_number() OVER (PARTITION BY did, rkey ORDER BY rev DESC) = 1),
fate AS
(
    SELECT born.day, born.did, ended.operation = 'delete' AS gone, date_diff('second', born.moment, ended.moment) / 60 AS minutes
    FROM born JOIN ended USING (did, rkey)
)
SELECT fate.day, count(*), count(*) FILTER (gone), count(*) FILTER (NOT gone),
    count(*) FILTER (NOT gone AND NOT coalesce(active, true)),
    round((list_sort(list(minutes) FILTER (gone)))[(count(*) FILTER (gone)) // 2 + 1], 2)
FROM fate LEFT JOIN states USING (did) GROUP BY fate.day ORDER BY 1
