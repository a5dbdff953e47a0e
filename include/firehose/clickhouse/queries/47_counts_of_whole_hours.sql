-- Counts as if nothing were missing
-- Likes by hour of the last two days, with the share of the hour that the lake has: divided by it where it is half or more,
-- as if the rest of the hour had been like it, and NULL where it is less. An hour without any batch has a row, with 0. Events
-- of a replay or backfill count in the hour in which they were witnessed.
-- Reads: firehose.events_by_minute by partition or key; ops.batches whole; ops.gaps whole
SELECT hour_start, round(share, 4) AS covered, likes, if(share >= 0.5, round(likes / share, 2), NULL) AS estimated
FROM firehose.completeness
LEFT JOIN
(
    SELECT toStartOfHour(minute) AS hour_start, sum(events) AS likes
    FROM firehose.events_by_minute
    WHERE type = 'likes' AND operation = 'create' AND day >= (SELECT max(day) FROM firehose.events_by_minute) - 1
    GROUP BY hour_start
) AS counted USING (hour_start)
WHERE type = 'likes' AND date >= (SELECT max(day) FROM firehose.events_by_minute) - 1
ORDER BY hour_start
