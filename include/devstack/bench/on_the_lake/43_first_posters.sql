SELECT did, min(witnessed_at) AS first_post
FROM firehose.posts
WHERE operation = 'create' AND NOT resync
GROUP BY did
ORDER BY first_post, did
LIMIT 20
