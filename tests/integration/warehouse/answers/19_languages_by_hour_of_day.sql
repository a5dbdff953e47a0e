WITH first AS (SELECT hour(moment) AS h, coalesce(split_part(languages[1], '-', 1), '(none)') AS l FROM written)
SELECT h, l, count(*) AS n, round(n / sum(n) OVER (PARTITION BY h), 4) FROM first GROUP BY h, l ORDER BY h, n DESC, l
