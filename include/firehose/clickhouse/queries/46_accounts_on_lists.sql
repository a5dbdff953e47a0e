-- Accounts that are on the most lists
-- Of list items written since the lake begins and not deleted since; the purpose and name of a list are in the view lists.
-- From the lake, where list items have files of their own; ops.edges would be read whole.
-- Reads: listitems whole; other whole
SELECT account, uniqExact(list) AS lists, uniqExact(did) AS list_makers
FROM
(
    SELECT did, argMax(subject_did, rev) AS account, argMax(ifNull(list_uri, ''), rev) AS list
    FROM firehose.listitems
    GROUP BY did, rkey
    HAVING argMax(operation, rev) != 'delete'
)
GROUP BY account
ORDER BY lists DESC, account
LIMIT 20
