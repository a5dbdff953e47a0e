SELECT collection, hour(moment), count(*) FROM everything WHERE operation = 'create' AND type IN ('posts', 'reposts', 'likes')
GROUP BY 1, 2 ORDER BY 2, 1
