SELECT date AS day, hour_start AS hour, witnessed_at AS at, did, seq, 'identity' AS kind, ifNull(handle, '') AS handle, true AS active, '' AS status
FROM firehose.identities
WHERE hour_start IN {hours:Array(DateTime('UTC'))}
    AND (empty({batches:Array(DateTime64(3, 'UTC'))}) OR batch IN {batches:Array(DateTime64(3, 'UTC'))})
UNION ALL
SELECT date, hour_start, witnessed_at, did, seq, 'account', '', ifNull(active, true), ifNull(status, '')
FROM firehose.accounts
WHERE hour_start IN {hours:Array(DateTime('UTC'))}
    AND (empty({batches:Array(DateTime64(3, 'UTC'))}) OR batch IN {batches:Array(DateTime64(3, 'UTC'))})
