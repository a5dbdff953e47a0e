-- The part of each hour that the lake has, by record type: join it with counts by hour, to divide or to leave hours out
(
    hour_start          DateTime('UTC')        COMMENT 'Start of the hour. Every hour from the first live batch to the last has a row, also one without a batch',
    date                Date                   COMMENT 'Its UTC day',
    type                LowCardinality(String) COMMENT 'Record type, as in the view events',
    share               Float64 COMMENT 'Covered part of the hour, 0 to 1: in a loaded batch or in a gap that was filled, and not in an open gap; of a replayed hour, from its first to its last minute with an event',
    seconds_missing     Float64 COMMENT 'Of the hour, in an open gap; gaps that overlap count once',
    seconds_unaccounted Float64 COMMENT 'Of the hour, between the first and the last live batch, in neither a batch nor a gap: nothing is known of it',
    running             Bool    COMMENT 'The last live batch ends within the hour: more of it is to come, so its share is below 1'
)
AS WITH
    -- Arrays in place of rows, and each subquery named once: the engine would analyse it again for each use, and that is most of
    -- what this view takes. Spans are (kind, queue, from, to), in microseconds.
    live AS
    (
        SELECT start, end FROM ops.batches FINAL
        WHERE (empty(hours) OR arrayExists(h -> h + 7200 > start AND h < end + 3600, hours)) AND NOT has(counts.type, 'imported')
    ),
    (SELECT [toStartOfHour(min(start)), toStartOfHour(max(end) + 3599)] FROM live) AS live_hours,
    -- Batches that follow each other as one span: there are as many spans as outages, and not as many as batches.
    batches AS
    (
        SELECT min(low) AS first, max(high) AS last, groupArray(('covered', '', low, high)) AS runs
        FROM
        (
            SELECT toInt64(toUnixTimestamp(min(start))) * 1000000 AS low, toInt64(toUnixTimestamp(max(end))) * 1000000 AS high
            FROM
            (
                SELECT start, end, sum(apart) OVER (ORDER BY start, end ROWS UNBOUNDED PRECEDING) AS run
                FROM
                (
                    SELECT start, end, start > max(end) OVER (
                        ORDER BY start, end ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING) AS apart
                    FROM live
                )
            )
            GROUP BY run
        )
    ),
    -- Hours before and after all live batches that have events, from their first minute to their last.
    replays AS
    (
        SELECT min(low) AS first, max(high) AS last, groupArray(('covered', '', low, high)) AS replayed
        FROM
        (
            SELECT toInt64(toUnixTimestamp(min(minute))) * 1000000 AS low,
                toInt64(toUnixTimestamp(max(minute)) + 60) * 1000000 AS high
            FROM firehose.events_by_minute
            WHERE minute < live_hours[1] OR minute >= live_hours[2]
            GROUP BY toStartOfHour(minute)
        )
    ),
    gaps AS
    (
        SELECT groupArray((if(filled = '', 'open', 'covered'), toString(type), toUnixTimestamp64Micro(start),
            toUnixTimestamp64Micro(end))) AS noted
        FROM ops.gaps
    ),
    -- A gap may begin at any time, even in 1970: it counts from the first batch or event to the last.
    all_spans AS
    (
        SELECT batches.last AS last_live, arrayMin(arrayFilter(at -> at > 0, [batches.first, replays.first])) AS low,
            greatest(batches.last, replays.last) AS high, arrayFilter(span -> span.3 < span.4, arrayMap(
                span -> (span.1, span.2, greatest(span.3, low), least(span.4, high)),
                arrayConcat(runs, replayed, noted, [('whole', '', batches.first, batches.last)]))) AS spans,
            arrayFlatten(arrayMap(span -> range(toUInt64(intDiv(span.3, 3600000000)), toUInt64(intDiv(span.4 - 1, 3600000000)) + 1),
                arrayFilter(span -> span.2 != '', spans))) AS hours_of_one_queue
        FROM batches CROSS JOIN replays CROSS JOIN gaps
    ),
    by_hour AS
    (
        SELECT last_live, hours_of_one_queue, arrayJoin(spans) AS span, arrayJoin(range(toUInt64(intDiv(span.3, 3600000000)),
            toUInt64(intDiv(span.4 - 1, 3600000000)) + 1)) AS number
        FROM all_spans
    ),
    -- What holds for all queues is counted once, but for hours in which a gap is of one queue.
    by_queue AS
    (
        SELECT last_live, number, span.1 AS kind, greatest(span.3, toInt64(number) * 3600000000) AS begin,
            least(span.4, (toInt64(number) + 1) * 3600000000) AS until, arrayJoin(if(has(hours_of_one_queue, number),
                arrayFilter(of -> span.2 IN ('', of.1), {types_by_queue}), [('', {types})])) AS queue
        FROM by_hour
    )
SELECT toDateTime(number * 3600, 'UTC') AS hour_start, toDate(hour_start) AS date, arrayJoin(queue.2) AS type,
    (intervalLengthSumIf(begin, until, kind != 'whole') - intervalLengthSumIf(begin, until, kind = 'open')) / 3.6e9 AS share,
    intervalLengthSumIf(begin, until, kind = 'open') / 1e6 AS seconds_missing,
    (intervalLengthSum(begin, until) - intervalLengthSumIf(begin, until, kind != 'whole')) / 1e6 AS seconds_unaccounted,
    number * 3600000000 < last_live AND last_live < (number + 1) * 3600000000 AS running
FROM by_queue
GROUP BY number, queue, last_live
