-- Followers at a date, and unfollows
-- Known followers at the beginning and the end of the latest day: of follows made since the lake begins. The true number
-- is higher by all older follows. An unfollow names only the record, so that of an older follow counts for no account.
WITH
    (SELECT max(day) FROM firehose.events_by_minute) AS latest,
    records AS
    (
        SELECT did, maxIf(subject_did, operation != 'delete') AS subject,
            argMaxIf(operation, rev, date < latest) IN ('create', 'update') AS stood,
            argMax(operation, rev) != 'delete' AS stands,
            countIf(date = latest AND operation != 'delete' AND NOT resync) > 0 AS made
        FROM firehose.follows
        WHERE date <= latest
        GROUP BY did, rkey
        HAVING subject != ''
    ),
    pairs AS
    (
        SELECT subject, max(stood) AS before, max(stands) AS after, max(made) AS began
        FROM records GROUP BY did, subject
    )
SELECT subject AS subject_did, countIf(before) AS known_at_start, countIf(after) AS known_at_end,
    countIf(after AND NOT before AND began) AS came, countIf(before AND NOT after) AS went
FROM pairs
GROUP BY subject_did
ORDER BY known_at_end DESC, went DESC, subject_did
LIMIT 20
