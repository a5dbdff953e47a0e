-- Accounts that gained most followers
-- Follows of the latest day, less those taken back on the same day. A delete names no subject, only the
-- record that it removes, so it is matched by the record's address.
WITH (SELECT max(day) FROM firehose.events_by_minute) AS latest
SELECT subject_did, count() AS followed, countIf(uri IN (
    SELECT uri FROM firehose.follows WHERE date = latest AND operation = 'delete')) AS taken_back,
    followed - taken_back AS gained
FROM firehose.follows
WHERE date = latest AND operation = 'create' AND NOT resync
GROUP BY subject_did
ORDER BY gained DESC, subject_did
LIMIT 20
