-- What is in the lake
-- Rows, accounts and the time they span, by record type. Reads every file: small lakes only.
SELECT type, count() AS events, uniq(did) AS accounts, min(witnessed_at) AS first, max(witnessed_at) AS last
FROM firehose.events
GROUP BY type
ORDER BY events DESC
