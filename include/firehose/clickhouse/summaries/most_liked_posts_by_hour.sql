SELECT toDate(hour_start), hour_start, post, uniqExact(did) AS total
FROM
(
    SELECT hour_start, did, argMax(ifNull(subject_uri, ''), rev) AS post
    FROM firehose.seen_likes
    WHERE hour_start IN {hours:Array(DateTime('UTC'))} AND NOT resync
    GROUP BY hour_start, did, rkey
    HAVING argMax(operation, rev) != 'delete' AND post != ''
)
GROUP BY hour_start, post
ORDER BY hour_start, total DESC, post
LIMIT 1000 BY hour_start
