-- Which records of the firehose the old system has as well, so that views with FIREHOSE_READERS=both show each once. Both
-- tables follow the ledger, a day a partition, and are empty while nothing is imported.
CREATE TABLE IF NOT EXISTS ops.imported_keys
(
    day     Date                   COMMENT 'UTC day, the partition',
    hour    DateTime('UTC')        COMMENT 'Start of the hour in which the record is filed',
    key     UInt64                 COMMENT 'cityHash64 of account, collection, record key and CID (empty: none was kept; without a record key the account that it is about)',
    store   LowCardinality(String) COMMENT 'Kind of store: cache-1, cache-2, queue or parquet',
    account UInt64                 COMMENT 'As in ops.events',
    record  UInt64                 COMMENT 'As in ops.events'
)
ENGINE = MergeTree PARTITION BY day ORDER BY (hour, key)
COMMENT 'The records of the old system, by the store that kept them';

CREATE TABLE IF NOT EXISTS ops.imported_seen
(
    day  Date            COMMENT 'UTC day, the partition',
    hour DateTime('UTC') COMMENT 'Start of the hour',
    key  UInt64          COMMENT 'As in ops.imported_keys'
)
ENGINE = MergeTree PARTITION BY day ORDER BY (hour, key)
COMMENT 'Those records of the old system that the firehose brought in that hour';
