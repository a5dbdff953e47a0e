-- What is known to be missing: the coverage ledger of the lake, one row a gap. Replaced as a whole when it changed.
CREATE TABLE IF NOT EXISTS ops.gaps
(
    id       String                 COMMENT 'Its name in the coverage ledger',
    reason   LowCardinality(String) COMMENT 'Why: late, refused, stall, blind, unread, outage, redis_lost, not_listening',
    host     String                 COMMENT 'The Jetstream host that did not give it; empty: none was asked',
    protocol LowCardinality(String) COMMENT 'v1 or v2; empty: none',
    type     LowCardinality(String) COMMENT 'Record type; empty: all',
    start    DateTime64(6, 'UTC')   COMMENT 'Witnessed time, from',
    end      DateTime64(6, 'UTC')   COMMENT 'Witnessed time, to (exclusive)',
    healed   String                 COMMENT 'What made it good: replay, other host, archive; empty: it is open',
    noted_at DateTime64(6, 'UTC')   COMMENT 'When the latest was learnt of it'
)
ENGINE = MergeTree ORDER BY (start, end, id)
COMMENT 'Gaps in coverage, open and healed, as the lake has them';

-- Every hour from the first batch to the last has a row for each type, so that an hour without a batch shows. Other
-- hours have one where there are events, or gaps between events and batches: after a replay of old events, say.
CREATE OR REPLACE VIEW ops.coverage
(
    hour                DateTime('UTC')        COMMENT 'Start of the hour',
    type                LowCardinality(String) COMMENT 'Record type',
    events              UInt64                 COMMENT 'Events witnessed in the hour',
    seconds             Float64 COMMENT 'Part of the hour between the start of the first batch and the last one''s end',
    seconds_missing     Float64 COMMENT 'Of the hour, in an open gap; gaps that overlap count once',
    seconds_healed      Float64 COMMENT 'Of the hour, in gaps that were made good and in no open one',
    seconds_unaccounted Float64 COMMENT 'Of that part, in no loaded batch and in no gap: nothing is known of it',
    gaps                UInt64  COMMENT 'Gaps that reach into the hour, healed ones included'
)
AS WITH
    ['posts', 'likes', 'follows', 'reposts', 'blocks', 'identities', 'accounts', 'other'] AS types,
    bounds AS
    (
        SELECT toInt64(toUnixTimestamp(min(start))) * 1000000 AS first,
            toInt64(toUnixTimestamp(max(end))) * 1000000 AS last
        FROM ops.batches FINAL
    ),
    -- A gap may begin at any time, 1970 included: nobody wants a row for each hour since.
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
    -- Whatever has a place in time, in microseconds: batches, gaps, and the whole between first and last batch.
    spans AS
    (
        SELECT 'batch' AS kind, '' AS id, '' AS type, toInt64(toUnixTimestamp(start)) * 1000000 AS low,
            toInt64(toUnixTimestamp(end)) * 1000000 AS high
        FROM ops.batches FINAL
        UNION ALL
        SELECT if(healed = '', 'open', 'healed'), id, toString(type),
            greatest(toUnixTimestamp64Micro(start), first_shown), least(toUnixTimestamp64Micro(end), last_shown)
        FROM ops.gaps CROSS JOIN shown
        UNION ALL
        SELECT 'whole', '', '', first, last FROM bounds
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
SELECT toDateTime(number * 3600, 'UTC') AS hour, name AS type, sum(found) AS events, sum(whole) / 1e6 AS seconds,
    sum(open) / 1e6 AS seconds_missing, (sum(known) - sum(open)) / 1e6 AS seconds_healed,
    (sum(whole) - sum(accounted)) / 1e6 AS seconds_unaccounted, sum(names) AS gaps
FROM
(
    SELECT number, name, 0 AS found,
        intervalLengthSumIf(begin, until, kind = 'whole') AS whole,
        intervalLengthSumIf(begin, until, kind = 'open') AS open,
        intervalLengthSumIf(begin, until, kind IN ('open', 'healed')) AS known,
        intervalLengthSumIf(greatest(begin, first), least(until, last),
            kind != 'whole' AND begin < last AND until > first) AS accounted,
        uniqExactIf(id, kind IN ('open', 'healed')) AS names
    FROM by_hour CROSS JOIN bounds
    GROUP BY number, name
    UNION ALL
    SELECT toUInt64(intDiv(toUnixTimestamp(minute), 3600)), toString(type), sum(events), 0, 0, 0, 0, 0
    FROM firehose.events_by_minute
    GROUP BY 1, 2
)
GROUP BY number, name
COMMENT 'What is there and what is missing, by hour and record type';
