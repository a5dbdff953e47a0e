-- Accounts that gained the most followers
-- Accounts that began to follow on the latest day, less those of them that stopped on the same day. An account that follows twice,
-- or again, is one follower; one that followed before is not counted. A follow from before the lake begins is not known.
-- From the lake: the tables have no column to find follows alone by, and the files of follows are a few in a hundred of all.
-- Reads: follows whole
WITH
    (SELECT max(day) FROM firehose.events_by_minute) AS latest,
    records AS
    (
        SELECT did, maxIf(subject_did, operation != 'delete') AS subject,
            argMaxIf(operation, rev, date < latest) IN ('create', 'update') AS stood,
            argMax(operation, rev) != 'delete' AS stands,
            countIf(date = latest AND operation = 'create' AND NOT resync) > 0 AS made
        FROM firehose.follows
        WHERE date <= latest
        GROUP BY did, rkey
        HAVING subject != ''
    ),
    pairs AS
    (
        SELECT did, subject, max(stood) AS stood_before, max(stands) AS stands_now, max(made) AS began
        FROM records GROUP BY did, subject
    )
SELECT subject AS subject_did, countIf(began AND NOT stood_before) AS followed,
    countIf(began AND NOT stood_before AND NOT stands_now) AS taken_back, followed - taken_back AS gained
FROM pairs
GROUP BY subject_did
HAVING followed > 0
ORDER BY gained DESC, subject_did
LIMIT 20
