-- What became of posts
-- Posts created in the latest seven days, each once: those that exist, those deleted with the minutes that half of them
-- lived, and those that exist but whose account is, as far as is known, not active.
WITH (SELECT max(day) FROM firehose.events_by_minute) AS latest
SELECT toDate(born) AS day, count() AS created, countIf(gone) AS deleted, countIf(NOT gone) AS existing,
    countIf(NOT gone AND status.did != '' AND NOT active) AS of_inactive_accounts,
    round(quantileExactIf(0.5)(dateDiff('second', born, died) / 60, gone), 2) AS half_lived_minutes
FROM
(
    SELECT did, argMaxIf(witnessed_at, rev, operation = 'create' AND NOT resync) AS born, argMax(operation, rev) = 'delete' AS gone,
        max(witnessed_at) AS died
    FROM firehose.posts
    WHERE date BETWEEN latest - 6 AND latest
    GROUP BY did, rkey
    HAVING countIf(operation = 'create' AND NOT resync) > 0
) AS posts
LEFT JOIN firehose.current_accounts AS status ON status.did = posts.did
GROUP BY day
ORDER BY day
