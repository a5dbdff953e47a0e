SELECT toDate({hour:DateTime('UTC')}), {hour:DateTime('UTC')}, uri, uniqExact(did) AS total
FROM
(
    SELECT did, argMax(tuple(subject_uri), rev).1 AS uri
    FROM firehose.likes
    WHERE hour_start = {hour:DateTime('UTC')}
    GROUP BY did, rkey
    HAVING argMax(operation, rev) != 'delete' AND uri IS NOT NULL
)
GROUP BY uri
ORDER BY total DESC, uri
LIMIT 1000
