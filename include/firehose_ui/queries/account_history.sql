-- An account's handle and status over time, as events said; NULL: not known
SELECT toFloat64(toUnixTimestamp64Micro(h.since)) / 1e6 AS since, toFloat64(toUnixTimestamp64Micro(h.until)) / 1e6 AS until,
    h.handle, h.status
FROM firehose.account_history AS h
WHERE h.did = {did:String}
ORDER BY h.since NULLS FIRST
LIMIT 200
