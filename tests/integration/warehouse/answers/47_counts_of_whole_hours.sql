-- Second by second, from the ledger and the records of gaps.
WITH batches AS
(
    SELECT "start" AS low, "end" AS high FROM read_json(getvariable('lake') || '/_ledger/*/*.json',
        columns = {'start': 'TIMESTAMP', 'end': 'TIMESTAMP'})
),
gaps AS
(
    SELECT make_timestamp(from_us) AS low, make_timestamp(to_us) AS high, coalesce(filled, '') = '' AS lost
    FROM read_json(getvariable('lake') || '/_coverage/*/*.json',
        columns = {'from_us': 'BIGINT', 'to_us': 'BIGINT', 'queue': 'VARCHAR', 'filled': 'VARCHAR'})
    WHERE coalesce(queue, '') IN ('', 'likes')
),
seconds AS
(
    SELECT unnest(range(latest() - INTERVAL 1 DAY, (SELECT max(high) FROM batches), INTERVAL 1 SECOND)) AS second
),
had AS
(
    SELECT second, EXISTS (FROM batches WHERE second >= low AND second < high)
        OR EXISTS (FROM gaps WHERE second >= low AND second < high AND NOT lost) AS covered,
        EXISTS (FROM gaps WHERE second >= low AND second < high AND lost) AS lost
    FROM seconds
),
hours AS
(
    SELECT date_trunc('hour', second) AS hour, count(*) FILTER (covered AND NOT lost) / 3600 AS share FROM had GROUP BY 1
),
made AS
(
    SELECT date_trunc('hour', moment) AS hour, count(*) AS likes FROM received
    WHERE type = 'likes' AND operation = 'create' GROUP BY 1
)
SELECT hour, round(share, 4), coalesce(likes, 0), CASE WHEN share >= 0.5 THEN round(coalesce(likes, 0) / share, 2) END
FROM hours LEFT JOIN made USING (hour)
ORDER BY hour
