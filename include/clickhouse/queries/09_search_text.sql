-- Posts with a word
-- The latest hour, read from its one file. Widen the condition on hour_start to search further back.
SELECT witnessed_at, did, text
FROM firehose.posts
WHERE hour_start = (SELECT max(hour) FROM firehose.languages_by_hour)
    AND operation = 'create' AND NOT resync AND hasTokenCaseInsensitive(text, 'coffee')
ORDER BY witnessed_at DESC
LIMIT 20
