-- Who had which handle when
-- Accounts that changed theirs. What an account was called before its first identity event in the lake is not known.
SELECT did, handle, since, until
FROM firehose.handles
WHERE did IN (SELECT did FROM firehose.handles GROUP BY did HAVING count() > 1)
ORDER BY did, since
LIMIT 100
