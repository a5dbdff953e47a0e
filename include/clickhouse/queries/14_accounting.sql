-- The accounting of the batches
-- Every event received is in the lake, was there already, or is in quarantine: unaccounted is always 0.
SELECT type, sum(received) AS events, sum(stored) AS rows_stored, sum(duplicates) AS already_there,
    sum(quarantined) AS set_aside, round(set_aside / events, 5) AS error_rate,
    toInt64(events) - rows_stored - already_there - set_aside AS unaccounted
FROM ops.batch_counts
GROUP BY type
ORDER BY events DESC
