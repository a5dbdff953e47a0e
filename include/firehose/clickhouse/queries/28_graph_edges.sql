-- Edges for a graph
-- Who turned to whom on the latest day, and how often. Without both LIMITs and with --format Parquet, for a graph library.
-- The view firehose.edges has the same with the address of each record, from the lake.
-- Reads: ops.edges by partition; ops.names by partition
WITH
    (SELECT max(day) FROM firehose.events_by_minute) AS latest,
    names AS (SELECT DISTINCT number, name FROM ops.names WHERE day = latest)
SELECT kind, sources.name AS source_did, targets.name AS target_did, times
FROM
(
    SELECT kind, account, target, count() AS times FROM ops.edges
    WHERE day = latest AND change = 1 AND account != target AND kind NOT IN ('root', 'list', 'member')
    GROUP BY kind, account, target
    ORDER BY times DESC LIMIT 1000 WITH TIES
) AS turns
INNER JOIN names AS sources ON sources.number = turns.account
INNER JOIN names AS targets ON targets.number = turns.target
ORDER BY times DESC, kind, source_did, target_did
LIMIT 1000
