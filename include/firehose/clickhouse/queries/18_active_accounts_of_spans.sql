-- Daily, weekly and monthly active accounts
-- Accounts with an event in the last day, 7 days and 30 days, by record type. Days cannot be added up, so the states of
-- the hours are merged. Merged counts are estimates, mostly within half a percent; those of small lakes are exact.
WITH (SELECT max(day) FROM ops.account_states_by_hour) AS latest
SELECT type, uniqCombined64MergeIf(state, day = latest) AS daily,
    uniqCombined64MergeIf(state, day > latest - 7) AS weekly,
    uniqCombined64MergeIf(state, day > latest - 30) AS monthly, round(daily / monthly, 3) AS stickiness
FROM ops.account_states_by_hour
WHERE day > latest - 30
GROUP BY type
ORDER BY monthly DESC, type
