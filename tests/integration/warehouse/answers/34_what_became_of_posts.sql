WITH turns_of_posts AS
(
    SELECT did, day, moment, operation, lead(operation) OVER (PARTITION BY did, rkey ORDER BY rev) AS next,
        lead(moment) OVER (PARTITION BY did, rkey ORDER BY rev) AS ended
    FROM posts WHERE operation IN ('create', 'delete')
),
fate AS
(
    SELECT day, did, next IS NOT NULL AS gone, date_diff('second', moment, ended) / 60 AS minutes
    FROM turns_of_posts WHERE operation = 'create' AND coalesce(next, 'delete') = 'delete' AND day > latest() - 7
)
SELECT fate.day, count(*), count(*) FILTER (gone), count(*) FILTER (NOT gone),
    count(*) FILTER (NOT gone AND NOT coalesce(active, true)),
    round((list_sort(list(minutes) FILTER (gone)))[(count(*) FILTER (gone)) // 2 + 1], 2)
FROM fate LEFT JOIN states USING (did) GROUP BY fate.day ORDER BY 1
