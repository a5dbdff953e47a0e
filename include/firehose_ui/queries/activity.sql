-- Events by type in steps of the reader's time zone; what a resync sent again is left out
-- one of step: minute, 5 minutes, 15 minutes, hour, day, week, month
SELECT multiIf(
        {step:String} = 'minute', toUnixTimestamp(minute),
        {step:String} = '5 minutes', toUnixTimestamp(toStartOfFiveMinutes(minute)),
        {step:String} = '15 minutes', toUnixTimestamp(toStartOfFifteenMinutes(minute)),
        {step:String} = 'hour', toUnixTimestamp(toStartOfHour(minute, {zone:String})),
        {step:String} = 'day', toUnixTimestamp(toStartOfDay(minute, {zone:String})),
        {step:String} = 'week', toUnixTimestamp(toDateTime(toMonday(minute, {zone:String}), {zone:String})),
        toUnixTimestamp(toDateTime(toStartOfMonth(minute, {zone:String}), {zone:String}))) AS at,
    sumIf(events, type = 'posts') AS posts, sumIf(events, type = 'likes') AS likes,
    sumIf(events, type = 'reposts') AS reposts, sumIf(events, type = 'follows') AS follows,
    sumIf(events, type = 'blocks') AS blocks,
    sumIf(events, type NOT IN ('posts', 'likes', 'reposts', 'follows', 'blocks')) AS other
FROM firehose.events_by_minute
WHERE day BETWEEN toDate({since:DateTime('UTC')}) AND toDate({until:DateTime('UTC')})
    AND minute >= {since:DateTime('UTC')} AND minute < {until:DateTime('UTC')} AND operation NOT IN ('resync', 'sync')
GROUP BY at
ORDER BY at
