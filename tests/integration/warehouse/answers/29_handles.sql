SELECT did, handle, status, since, until FROM histories
WHERE did IN (SELECT did FROM named GROUP BY did HAVING count(*) > 1) ORDER BY did, since NULLS FIRST LIMIT 100
