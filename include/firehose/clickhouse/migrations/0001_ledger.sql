-- What has been loaded from the lake: one row a batch, written after its summaries are in place.
-- loaded_at is the version, so that a batch published again (or a lake restored) replaces its row.
CREATE TABLE IF NOT EXISTS ops.batches
(
    batch        DateTime64(3, 'UTC') COMMENT 'Start of the interval; the column batch of the views',
    id           String               COMMENT 'Its name in the lake, such as 20261123T204000Z',
    start        DateTime('UTC')      COMMENT 'The interval, from',
    end          DateTime('UTC')      COMMENT 'The interval, to (exclusive)',
    published_at DateTime64(6, 'UTC') COMMENT 'When its hour files were complete',
    hours        Array(DateTime('UTC')) COMMENT 'Hours that it wrote into',
    counts Nested
    (
        type        LowCardinality(String),
        received    UInt64,
        good        UInt64,
        quarantined UInt64,
        duplicates  UInt64,
        stored      UInt64,
        displaced   UInt64
    ),
    loaded_at    DateTime64(6, 'UTC') COMMENT 'When its summaries were in place'
)
ENGINE = ReplacingMergeTree(loaded_at)
ORDER BY batch
COMMENT 'The batch ledger as loaded; read it with FINAL';

CREATE OR REPLACE VIEW ops.batch_counts
(
    batch        DateTime64(3, 'UTC') COMMENT 'Start of the interval; the column batch of the views',
    type         LowCardinality(String) COMMENT 'Record type',
    received     UInt64 COMMENT 'Raw events drained from Redis: good + quarantined',
    good         UInt64 COMMENT 'Events that passed every rule: stored + duplicates',
    quarantined  UInt64 COMMENT 'Events set aside with a reason',
    duplicates   UInt64 COMMENT 'Events that the batch or the lake already had',
    stored       UInt64 COMMENT 'Rows that the batch put into the lake',
    displaced    UInt64 COMMENT 'Rows of later batches that it replaced by its own copy of the same event',
    published_at DateTime64(6, 'UTC') COMMENT 'When the hour files of the batch were complete',
    loaded_at    DateTime64(6, 'UTC') COMMENT 'When its summaries were in place'
)
AS SELECT batch, c.type AS type, c.received AS received, c.good AS good, c.quarantined AS quarantined,
    c.duplicates AS duplicates, c.stored AS stored, c.displaced AS displaced, published_at, loaded_at
FROM ops.batches FINAL ARRAY JOIN counts AS c
COMMENT 'The accounting of each batch by record type';
