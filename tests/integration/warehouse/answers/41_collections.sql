SELECT collection, count(*), count(DISTINCT did) FROM everything WHERE operation = 'create'
GROUP BY collection ORDER BY 2 DESC, 1
