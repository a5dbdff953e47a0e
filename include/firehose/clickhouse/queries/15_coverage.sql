-- Coverage by hour
-- The latest day, in seconds: missing time is in an open gap, filled time in a gap that was filled later, unaccounted
-- time in neither a batch nor a gap, for example after a failed run. The gaps themselves are in ops.gaps.
SELECT hour, type, events, seconds_missing AS missing, seconds_filled AS filled, seconds_unaccounted AS unaccounted,
    round(1 - least((missing + unaccounted) / nullIf(seconds, 0), 1), 4) AS covered
FROM ops.coverage
WHERE toDate(hour) = (SELECT toDate(max(hour)) FROM ops.coverage)
ORDER BY hour, type
