-- From the ledger; no row of the test's lake is missing.
WITH entries AS
(
    SELECT unnest(map_entries(counts)) AS e FROM read_json(getvariable('lake') || '/_ledger/*/*.json', columns = {'counts':
        'MAP(VARCHAR, STRUCT(received BIGINT, stored BIGINT, duplicates BIGINT, quarantined BIGINT))'})
)
SELECT e.key, sum(e.value.received)::BIGINT AS events, sum(e.value.stored)::BIGINT, sum(e.value.duplicates)::BIGINT,
    sum(e.value.quarantined)::BIGINT AS aside, round(aside / events, 5), 0, 0
FROM entries GROUP BY 1 ORDER BY 2 DESC, 1
