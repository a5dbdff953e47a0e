WITH (SELECT max(day) FROM ops.account_states_by_hour) AS latest
SELECT type, uniqCombined64MergeIf(state, day = latest) AS daily,
    uniqCombined64MergeIf(state, day > latest - 7) AS weekly,
    uniqCombined64MergeIf(state, day > latest - 30) AS monthly, round(daily / monthly, 3) AS stickiness
FROM ops.account_states_by_hour
WHERE day > latest - 30
GROUP BY type
ORDER BY monthly DESC, type
