-- Spans of time that were listened to (run), replayed, or are in a gap (open, filled), between two moments
WITH
    toUnixTimestamp({since:DateTime('UTC')}) AS low,
    toUnixTimestamp({until:DateTime('UTC')}) AS high,
    live AS
    (
        SELECT toUnixTimestamp(start) AS begin, toUnixTimestamp(end) AS until FROM ops.batches FINAL
        WHERE start < {until:DateTime('UTC')} AND end > {since:DateTime('UTC')}
            AND (empty(hours) OR arrayExists(h -> h + 7200 > start AND h < end + 3600, hours))
    ),
    apart AS
    (
        SELECT begin, until, begin > max(until) OVER (
            ORDER BY begin, until ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING) AS new
        FROM live
    ),
    runs AS
    (
        SELECT begin, until, sum(new) OVER (ORDER BY begin, until ROWS UNBOUNDED PRECEDING) AS run FROM apart
    )
SELECT 'run' AS kind, '' AS reason, '' AS queue, toFloat64(min(begin)) AS since, toFloat64(max(until)) AS until
FROM runs
GROUP BY run
UNION ALL
SELECT 'ends', '', '', toFloat64(toUnixTimestamp(min(start))), toFloat64(toUnixTimestamp(max(end)))
FROM ops.batches FINAL
WHERE empty(hours) OR arrayExists(h -> h + 7200 > start AND h < end + 3600, hours)
HAVING count() > 0
UNION ALL
SELECT 'replay', '', '', toFloat64(toUnixTimestamp(min(minute))), toFloat64(toUnixTimestamp(max(minute)) + 60)
FROM firehose.events_by_minute
WHERE day BETWEEN toDate({since:DateTime('UTC')}) AND toDate({until:DateTime('UTC')})
    AND minute >= toStartOfHour({since:DateTime('UTC')}) AND minute < {until:DateTime('UTC')}
GROUP BY toStartOfHour(minute)
UNION ALL
SELECT if(filled = '', 'open', 'filled'), toString(reason), toString(type), toUnixTimestamp64Micro(start) / 1e6,
    toUnixTimestamp64Micro(end) / 1e6
FROM ops.gaps
WHERE start < {until:DateTime('UTC')} AND end > {since:DateTime('UTC')}
