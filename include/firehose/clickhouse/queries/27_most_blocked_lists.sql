-- Most blocked lists
-- A list block hides everybody on a list. List blocks are rows of other, with the record in extra,
-- which only the lake has.
-- Reads: other whole
SELECT list, uniqExact(did) AS blocked_by
FROM
(
    SELECT did, argMax(JSONExtractString(extra, 'subject'), rev) AS list
    FROM firehose.other
    WHERE collection = 'app.bsky.graph.listblock'
    GROUP BY did, rkey
    HAVING argMax(operation, rev) != 'delete'
)
GROUP BY list
ORDER BY blocked_by DESC, list
LIMIT 20
