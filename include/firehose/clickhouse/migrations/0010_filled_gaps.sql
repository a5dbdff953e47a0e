-- A gap is filled, and no longer "healed"; two reasons have other names. The old names stay readable for one version:
-- `healed` and `old_reason` of ops.gaps, and `seconds_healed` of ops.coverage. The table is made again under another name
-- and exchanged, so that it is never without its rows, and so that each step may be repeated.
CREATE OR REPLACE TABLE ops.gaps_renamed
(
    id         String                 COMMENT 'Its name in the coverage ledger',
    reason     LowCardinality(String) COMMENT 'Why: late, refused, stall, partial, oversize, outage, redis_lost, not_listening',
    host       String                 COMMENT 'The Jetstream host that did not send it; empty: no host was asked',
    protocol   LowCardinality(String) COMMENT 'v1 or v2; empty: no host was asked',
    type       LowCardinality(String) COMMENT 'Record type; empty: all',
    start      DateTime64(6, 'UTC')   COMMENT 'Witnessed time, from',
    end        DateTime64(6, 'UTC')   COMMENT 'Witnessed time, to (exclusive)',
    filled     String                 COMMENT 'What filled it: replay, other host, archive; empty: it is open',
    noted_at   DateTime64(6, 'UTC')   COMMENT 'When its latest record was written',
    healed     String ALIAS filled    COMMENT 'The former name of filled; it will go with the next version',
    old_reason String ALIAS transform(toString(reason), ['partial', 'oversize'], ['blind', 'unread'], toString(reason))
        COMMENT 'reason with its former values, blind and unread; it will go with the next version'
)
ENGINE = MergeTree ORDER BY (start, end, id)
COMMENT 'Gaps in coverage, open and filled, as the lake has them';
INSERT INTO ops.gaps_renamed (id, reason, host, protocol, type, start, end, filled, noted_at)
SELECT id, transform(toString(reason), ['blind', 'unread'], ['partial', 'oversize'], toString(reason)), host, protocol,
    type, start, end, healed, noted_at
FROM ops.gaps;
EXCHANGE TABLES ops.gaps_renamed AND ops.gaps;
DROP TABLE ops.gaps_renamed;
CREATE OR REPLACE VIEW ops.coverage
(
    hour                DateTime('UTC')        COMMENT 'Start of the hour',
    type                LowCardinality(String) COMMENT 'Record type',
    events              UInt64                 COMMENT 'Events witnessed in the hour',
    seconds             Float64 COMMENT 'Part of the hour between the start of the first live batch and the last one''s end; of a replayed hour, between its first and its last minute with an event',
    seconds_missing     Float64 COMMENT 'Of the hour, in an open gap; gaps that overlap count once',
    seconds_filled      Float64 COMMENT 'Of the hour, in gaps that were filled and not in an open one',
    seconds_unaccounted Float64 COMMENT 'Of that part, in neither a loaded batch nor a gap: nothing is known of it',
    gaps                UInt64  COMMENT 'Gaps that reach into the hour, filled ones included',
    seconds_healed      Float64 COMMENT 'The former name of seconds_filled; it will go with the next version'
)
AS WITH
    ['posts', 'likes', 'follows', 'reposts', 'blocks', 'identities', 'accounts', 'other'] AS types,
    live AS
    (
        SELECT start, end FROM ops.batches FINAL
        WHERE empty(hours) OR arrayExists(h -> h + 7200 > start AND h < end + 3600, hours)
    ),
    bounds AS
    (
        SELECT toInt64(toUnixTimestamp(min(start))) * 1000000 AS first,
            toInt64(toUnixTimestamp(max(end))) * 1000000 AS last
        FROM live
    ),
    -- A gap may begin at any time, even in 1970: hours without events or batches are left out.
    shown AS
    (
        SELECT min(low) AS first_shown, max(high) AS last_shown FROM
        (
            SELECT first AS low, last AS high FROM bounds
            UNION ALL
            SELECT toInt64(toUnixTimestamp(min(minute))) * 1000000,
                toInt64(toUnixTimestamp(max(minute)) + 60) * 1000000
            FROM firehose.events_by_minute
        )
        WHERE low > 0
    ),
    -- All spans, in microseconds: batches, gaps, replayed hours, and the whole from the first batch to the last.
    spans AS
    (
        SELECT 'batch' AS kind, '' AS id, '' AS type, toInt64(toUnixTimestamp(start)) * 1000000 AS low,
            toInt64(toUnixTimestamp(end)) * 1000000 AS high
        FROM live
        UNION ALL
        SELECT if(filled = '', 'open', 'filled'), id, toString(type),
            greatest(toUnixTimestamp64Micro(start), first_shown), least(toUnixTimestamp64Micro(end), last_shown)
        FROM ops.gaps CROSS JOIN shown
        UNION ALL
        SELECT 'whole', '', '', first, last FROM bounds
        UNION ALL
        SELECT 'replayed', '', '', toInt64(toUnixTimestamp(from_minute)) * 1000000,
            toInt64(toUnixTimestamp(to_minute) + 60) * 1000000
        FROM
        (
            SELECT toStartOfHour(minute) AS of_hour, min(minute) AS from_minute, max(minute) AS to_minute
            FROM firehose.events_by_minute GROUP BY of_hour
        ) AS hours
        CROSS JOIN bounds
        WHERE toInt64(toUnixTimestamp(of_hour) + 3600) * 1000000 <= first
            OR toInt64(toUnixTimestamp(of_hour)) * 1000000 >= last
    ),
    by_type AS
    (
        SELECT kind, id, low, high, arrayJoin(if(spans.type = '', types, [spans.type])) AS name
        FROM spans WHERE low < high
    ),
    by_hour AS
    (
        SELECT kind, id, name, arrayJoin(range(toUInt64(intDiv(low, 3600000000)),
            toUInt64(intDiv(high - 1, 3600000000)) + 1)) AS number,
            greatest(low, toInt64(number) * 3600000000) AS begin,
            least(high, (toInt64(number) + 1) * 3600000000) AS until
        FROM by_type
    )
SELECT toDateTime(number * 3600, 'UTC') AS hour, name AS type, sum(found) AS events, (sum(whole) + sum(replayed)) / 1e6 AS seconds,
    sum(open) / 1e6 AS seconds_missing, (sum(known) - sum(open)) / 1e6 AS seconds_filled,
    (sum(whole) - sum(accounted)) / 1e6 AS seconds_unaccounted, sum(names) AS gaps, seconds_filled AS seconds_healed
FROM
(
    SELECT number, name, 0 AS found,
        intervalLengthSumIf(begin, until, kind = 'whole') AS whole,
        intervalLengthSumIf(begin, until, kind = 'replayed') AS replayed,
        intervalLengthSumIf(begin, until, kind = 'open') AS open,
        intervalLengthSumIf(begin, until, kind IN ('open', 'filled')) AS known,
        intervalLengthSumIf(greatest(begin, first), least(until, last),
            kind NOT IN ('whole', 'replayed') AND begin < last AND until > first) AS accounted,
        uniqExactIf(id, kind IN ('open', 'filled')) AS names
    FROM by_hour CROSS JOIN bounds
    GROUP BY number, name
    UNION ALL
    SELECT toUInt64(intDiv(toUnixTimestamp(minute), 3600)), toString(type), sum(events), 0, 0, 0, 0, 0, 0
    FROM firehose.events_by_minute
    GROUP BY 1, 2
)
GROUP BY number, name
COMMENT 'What is there and what is missing, by hour and record type';
