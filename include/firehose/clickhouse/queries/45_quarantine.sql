-- Why events were set aside
-- By type and reason, with one event as an example. The reasons are those of the pipeline's rules.
-- Reads: quarantine whole
SELECT type, reason, count() AS events, min(date) AS since, any(raw) AS example
FROM firehose.quarantine
GROUP BY type, reason
ORDER BY events DESC, type, reason
LIMIT 20
