SELECT toDate(hour_start), hour_start, assumeNotNull(subject_uri) AS uri_liked, count() AS total
FROM firehose.likes
WHERE hour_start = {hour:DateTime('UTC')} AND operation = 'create' AND NOT resync AND subject_uri IS NOT NULL
GROUP BY hour_start, uri_liked
ORDER BY total DESC, uri_liked
LIMIT 1000
