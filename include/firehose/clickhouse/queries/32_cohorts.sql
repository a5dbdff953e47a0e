-- Cohorts by first sighting, and who came back
-- Accounts by the day on which the lake first saw them, and how many of these it saw again a given number of days later. On the
-- first days of a lake most accounts are old ones: no event says when an account was created.
-- Reads: ops.accounts_by_day whole
SELECT first_day, dateDiff('day', first_day, on_day) AS days_later, count() AS accounts,
    round(accounts / max(accounts) OVER (PARTITION BY first_day), 4) AS share
FROM
(
    SELECT account, groupUniqArray(day) AS days, arrayMin(days) AS first_day FROM ops.accounts_by_day
    WHERE NOT resync
    GROUP BY account
)
ARRAY JOIN days AS on_day
GROUP BY first_day, days_later
ORDER BY first_day, days_later
