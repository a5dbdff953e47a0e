WITH seen AS (SELECT DISTINCT did, day, min(day) OVER (PARTITION BY did) AS first FROM everything)
SELECT first, date_diff('day', first, day), count(*),
    round(count(*) / (SELECT count(DISTINCT did) FROM seen AS all_of WHERE all_of.first = seen.first), 4)
FROM seen GROUP BY first, day ORDER BY 1, 2
