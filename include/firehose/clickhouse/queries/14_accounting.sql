-- The accounting of the batches
-- Every event received is in the lake, was there already, or is in quarantine: unaccounted is always 0. rows_missing are
-- on record and no longer in the hour files: 0, or a file is gone or changed, and `firehose verify --quick` names it.
-- Batches of a version that did not know a type yet count its events as other, where their rows are stored.
-- Reads: ops.batches whole; ops.hours whole; events whole
SELECT type, sum(received) AS events, sum(stored) AS rows_stored, sum(duplicates) AS already_there,
    sum(quarantined) AS set_aside, round(set_aside / events, 5) AS error_rate,
    toInt64(events) - rows_stored - already_there - set_aside AS unaccounted, any(missing) AS rows_missing
FROM ops.batch_counts
LEFT JOIN
(
    SELECT type, sum(greatest(recorded - found, 0)) AS missing
    FROM
    (
        SELECT type, hour, sum(recorded) AS recorded, sum(found) AS found
        FROM
        (
            SELECT toString(type) AS type, hour, toInt64(rows) AS recorded, 0 AS found FROM ops.hours FINAL
            UNION ALL
            SELECT stored_as, hour_start, 0, toInt64(count()) FROM firehose.events GROUP BY stored_as, hour_start
        )
        GROUP BY type, hour
    )
    GROUP BY type
) AS lake USING (type)
GROUP BY type
ORDER BY events DESC, type
