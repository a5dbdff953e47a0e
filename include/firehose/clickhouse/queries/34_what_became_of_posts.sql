-- What became of posts
-- Posts created in the latest seven days: those that exist, those deleted with the minutes that half of them lived, and
-- those that exist but whose account is, as far as is known, not active. A post that was written again under its key counts
-- again. In a large lake let seen_since be the first of these days: then no earlier day is read.
-- Reads: ops.events whole; ops.names whole; ops.account_changes whole
WITH (SELECT max(day) FROM firehose.events_by_minute) AS latest
SELECT toDate(since) AS day, count() AS created, countIf(until IS NOT NULL) AS deleted, countIf(until IS NULL) AS existing,
    countIf(until IS NULL AND account_status != '') AS of_inactive_accounts,
    round(quantileExactIf(0.5)(dateDiff('second', since, until) / 60, until IS NOT NULL), 2) AS half_lived_minutes
FROM firehose.state(type = 'posts', seen_since = '2000-01-01 00:00:00', at = '2100-01-01 00:00:00')
WHERE day BETWEEN latest - 6 AND latest
GROUP BY day
ORDER BY day
