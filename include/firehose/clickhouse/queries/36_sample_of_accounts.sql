-- A random sample of accounts
-- The same accounts on every day and in every view, and the same in other tools: sample is made of MD5(did). What one in
-- twenty accounts did, times twenty, is an estimate of all; SAMPLE does nothing on a view. From the lake: the tables
-- have numbers in place of DIDs, of which no sample is made.
-- Reads: events of 1 day
SELECT type, countIf(sample < 0.05) AS sampled, sampled * 20 AS estimated, count() AS in_truth,
    uniqExactIf(did, sample < 0.05) AS accounts
FROM firehose.events
WHERE date = (SELECT max(day) FROM firehose.events_by_minute) AND NOT resync
GROUP BY type
ORDER BY in_truth DESC, type
