-- Tables and columns that an analyst may read, for the editor's completion
SELECT concat(database, '.', table) AS of, groupArray(name) AS columns
FROM (SELECT database, table, name FROM system.columns WHERE database IN ('firehose', 'ops') ORDER BY database, table, position)
GROUP BY database, table
ORDER BY of
