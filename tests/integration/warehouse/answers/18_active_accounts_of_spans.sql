WITH each AS (SELECT type, did, day FROM everything UNION ALL SELECT 'all', did, day FROM everything)
SELECT type, count(DISTINCT did) FILTER (day = latest()), count(DISTINCT did) FILTER (day > latest() - 7),
    count(DISTINCT did) FILTER (day > latest() - 30),
    round(count(DISTINCT did) FILTER (day = latest()) / count(DISTINCT did), 4)
FROM each GROUP BY type ORDER BY 4 DESC, 1
