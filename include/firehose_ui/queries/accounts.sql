-- Accounts with an event in steps of whole hours, each once a step; of more than an hour within 1% or so
-- one of step: hour, day, week, month
SELECT multiIf(
        {step:String} = 'hour', toUnixTimestamp(hour),
        {step:String} = 'day', toUnixTimestamp(toStartOfDay(hour, {zone:String})),
        {step:String} = 'week', toUnixTimestamp(toDateTime(toMonday(hour, {zone:String}), {zone:String})),
        toUnixTimestamp(toDateTime(toStartOfMonth(hour, {zone:String}), {zone:String}))) AS at,
    if({step:String} = 'hour', sumIf(accounts, type = 'all'), uniqCombined64MergeIf(state, type = 'all')) AS everyone,
    if({step:String} = 'hour', sumIf(accounts, type = 'posts'), uniqCombined64MergeIf(state, type = 'posts')) AS posting,
    if({step:String} = 'hour', sumIf(accounts, type = 'likes'), uniqCombined64MergeIf(state, type = 'likes')) AS liking
FROM ops.account_states_by_hour
WHERE day BETWEEN toDate({since:DateTime('UTC')}) AND toDate({until:DateTime('UTC')})
    AND hour >= {since:DateTime('UTC')} AND hour < {until:DateTime('UTC')} AND type IN ('all', 'posts', 'likes')
GROUP BY at
ORDER BY at
