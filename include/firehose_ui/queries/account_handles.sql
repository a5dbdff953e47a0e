-- Accounts that had a handle, the latest to be said so first
SELECT did, toFloat64(toUnixTimestamp64Micro(w.since)) / 1e6 AS since, toFloat64(toUnixTimestamp64Micro(last_said)) / 1e6 AS said,
    toFloat64(toUnixTimestamp64Micro(w.until)) / 1e6 AS until, toFloat64(toUnixTimestamp64Micro(of_other_from)) / 1e6 AS of_other, account_status
FROM firehose.who_had(handle = {handle:String}) AS w
ORDER BY last_said DESC, did
LIMIT 50
