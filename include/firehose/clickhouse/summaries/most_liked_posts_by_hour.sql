SELECT toDate({hour:DateTime('UTC')}), {hour:DateTime('UTC')}, post, uniqExact(did) AS total
FROM
(
    SELECT did, argMax(ifNull(subject_uri, ''), rev) AS post
    FROM firehose.seen_likes
    WHERE hour_start = {hour:DateTime('UTC')} AND NOT resync
    GROUP BY did, rkey
    HAVING argMax(operation, rev) != 'delete' AND post != ''
)
GROUP BY post
ORDER BY total DESC, post
LIMIT 1000
