-- What good means: as the lake's ledger counts it, so that received = good + quarantined + duplicates. Earlier, the
-- comments here said that it held the duplicates as well, which it never did.
CREATE OR REPLACE VIEW ops.batch_counts
(
    batch        DateTime64(3, 'UTC') COMMENT 'Start of the interval; the column batch of the views',
    type         LowCardinality(String) COMMENT 'Record type',
    received     UInt64 COMMENT 'Raw events drained from Redis: good + quarantined + duplicates',
    good         UInt64 COMMENT 'Events that passed every rule and were new; always equal to stored',
    quarantined  UInt64 COMMENT 'Events set aside with a reason',
    duplicates   UInt64 COMMENT 'Events that the batch or the lake already had',
    stored       UInt64 COMMENT 'Rows that the batch put into the lake, counted in its hour files',
    displaced    UInt64 COMMENT 'Rows of later batches that it replaced by its own copy of the same event',
    published_at DateTime64(6, 'UTC') COMMENT 'When the hour files of the batch were complete',
    loaded_at    DateTime64(6, 'UTC') COMMENT 'When its summaries were in place'
)
AS SELECT batch, c.type AS type, c.received AS received, c.good AS good, c.quarantined AS quarantined,
    c.duplicates AS duplicates, c.stored AS stored, c.displaced AS displaced, published_at, loaded_at
FROM ops.batches FINAL ARRAY JOIN counts AS c
COMMENT 'The accounting of each batch by record type';
