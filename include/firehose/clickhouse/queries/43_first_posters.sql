-- Who posted first
-- The accounts whose first post since the lake begins is the oldest.
-- Reads: ops.accounts_by_day by key; ops.names by key
WITH firsts AS
(
    SELECT account, min(first_at) AS first_post FROM ops.accounts_by_day
    WHERE collection = 'app.bsky.feed.post' AND operation = 'create' AND NOT resync
    GROUP BY account ORDER BY first_post LIMIT 20
)
SELECT name AS did, first_post
FROM firsts
INNER JOIN (SELECT DISTINCT number, name FROM ops.names WHERE number IN (SELECT account FROM firsts)) AS names
    ON number = account
ORDER BY first_post, did
