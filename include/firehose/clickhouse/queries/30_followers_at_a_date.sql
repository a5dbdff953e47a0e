-- Followers at a date, and unfollows
-- Known followers at the beginning and the end of the latest day: of follows made since the lake begins. The true number
-- is higher by all older follows. An unfollow names only the record, so that of an older follow counts for no account.
-- Of one account: FROM followers(did = '…').
-- Reads: ops.events whole; ops.names whole; ops.account_changes whole
WITH
    (SELECT max(day) FROM firehose.events_by_minute) AS latest,
    pairs AS
    (
        SELECT subject_did, max(first_seen < latest AND ifNull(until >= latest, true) AND changed IS NOT NULL) AS before,
            max(until IS NULL) AS after, max(since >= latest) AS began
        FROM firehose.state(type = 'follows', seen_since = '2000-01-01 00:00:00', at = '2100-01-01 00:00:00')
        WHERE subject_did != ''
        GROUP BY did, subject_did
    )
SELECT subject_did, countIf(before) AS known_at_start, countIf(after) AS known_at_end,
    countIf(after AND NOT before AND began) AS came, countIf(before AND NOT after) AS went
FROM pairs
GROUP BY subject_did
ORDER BY known_at_end DESC, went DESC, subject_did
LIMIT 20
