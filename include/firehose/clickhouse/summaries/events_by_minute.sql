SELECT toDate(hour_start), toStartOfMinute(witnessed_at) AS minute, type, if(resync, 'resync', operation) AS done, count()
FROM firehose.events
WHERE hour_start IN {hours:Array(DateTime('UTC'))}
GROUP BY hour_start, minute, type, done
