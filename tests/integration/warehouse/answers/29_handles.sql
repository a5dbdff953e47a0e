SELECT did, handle, since, until FROM named QUALIFY count(*) OVER (PARTITION BY did) > 1 ORDER BY did, since LIMIT 100
