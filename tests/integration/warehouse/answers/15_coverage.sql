-- Second by second, from the ledger and the records of gaps.
WITH batches AS
(
    SELECT "start" AS low, "end" AS high FROM read_json(getvariable('lake') || '/_ledger/*/*.json',
        columns = {'start': 'TIMESTAMP', 'end': 'TIMESTAMP'})
),
types AS (SELECT DISTINCT type FROM received),
gaps AS
(
    SELECT type, make_timestamp(from_us) AS low, make_timestamp(to_us) AS high, coalesce(filled, '') = '' AS lost
    FROM read_json(getvariable('lake') || '/_coverage/*/*.json',
        columns = {'from_us': 'BIGINT', 'to_us': 'BIGINT', 'queue': 'VARCHAR', 'filled': 'VARCHAR'}), types
    WHERE coalesce(queue, '') IN ('', type)
),
seconds AS
(
    SELECT unnest(range(latest()::TIMESTAMP, (SELECT max(high) FROM batches), INTERVAL 1 SECOND)) AS second
),
live AS (SELECT second, EXISTS (FROM batches WHERE second >= low AND second < high) AS batch FROM seconds),
had AS
(
    SELECT types.type, second,
        batch OR EXISTS (FROM gaps WHERE gaps.type = types.type AND second >= low AND second < high AND NOT gaps.lost) AS covered,
        EXISTS (FROM gaps WHERE gaps.type = types.type AND second >= low AND second < high AND gaps.lost) AS lost
    FROM live CROSS JOIN types
),
hours AS
(
    SELECT date_trunc('hour', second) AS hour, type, count(*) FILTER (lost)::DOUBLE AS missing,
        count(*) FILTER (NOT covered AND NOT lost)::DOUBLE AS unaccounted, round(count(*) FILTER (covered AND NOT lost) / 3600, 4) AS share
    FROM had GROUP BY ALL
),
counted AS (SELECT date_trunc('hour', moment) AS hour, type, count(*) AS seen FROM received GROUP BY ALL)
SELECT hour, type, coalesce(seen, 0), missing, unaccounted, share FROM hours LEFT JOIN counted USING (hour, type)
ORDER BY hour, type
