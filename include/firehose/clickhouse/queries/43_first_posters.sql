-- Who posted first
-- The accounts whose first post in the lake is the oldest.
SELECT did, min(witnessed_at) AS first_post
FROM firehose.posts
WHERE operation = 'create' AND NOT resync
GROUP BY did
ORDER BY first_post, did
LIMIT 20
