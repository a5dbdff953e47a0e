WITH seen AS (SELECT DISTINCT did, date AS on_day FROM firehose.events WHERE NOT resync)
SELECT first_day, dateDiff('day', first_day, on_day) AS days_later, count() AS accounts,
    round(accounts / max(accounts) OVER (PARTITION BY first_day), 4) AS share
FROM seen
INNER JOIN (SELECT did, min(on_day) AS first_day FROM seen GROUP BY did) AS firsts ON firsts.did = seen.did
GROUP BY first_day, days_later
ORDER BY first_day, days_later
