SELECT day, count(DISTINCT did), count(DISTINCT did) FILTER (type = 'posts'), count(DISTINCT did) FILTER (type = 'likes'),
    round(count(DISTINCT did) FILTER (type = 'posts') / count(DISTINCT did), 3)
FROM everything GROUP BY day ORDER BY day
