-- What identity and account events say, by account: its handle and its status over time. The projection has the same by
-- handle. It is filled from the lake, as all tables of events are.
CREATE TABLE IF NOT EXISTS ops.account_changes
(
    day    Date                   CODEC(ZSTD(3)) COMMENT 'UTC day, the partition',
    hour   DateTime('UTC')        CODEC(ZSTD(3)) COMMENT 'Start of the hour',
    at     DateTime64(6, 'UTC')   CODEC(ZSTD(3)) COMMENT 'When the host saw it',
    did    String                 CODEC(ZSTD(3)) COMMENT 'The account',
    seq    Int64                  CODEC(ZSTD(3)) COMMENT 'The relay''s sequence number: the order of events of one moment',
    kind   Enum8('identity' = 1, 'account' = 2) CODEC(ZSTD(3)) COMMENT 'identity: about the handle; account: about the status',
    handle String                 CODEC(ZSTD(3)) COMMENT 'Its handle; empty: the event names none, which says nothing about the one before',
    active Bool                   CODEC(ZSTD(3)) COMMENT 'Of an account event: whether the account is active',
    status LowCardinality(String) CODEC(ZSTD(3)) COMMENT 'Of an account event: why it is not; empty: none said',
    PROJECTION by_handle (SELECT handle, did ORDER BY handle, did)
)
ENGINE = MergeTree PARTITION BY day ORDER BY (did, at) SETTINGS index_granularity = 1024
COMMENT 'Handles and statuses of accounts, as identity and account events say';

-- So that a create which comes in a later batch finds its delete without reading all events.
ALTER TABLE ops.strays MODIFY COMMENT 'Creates of keys that are not of their day, and deletes about nothing known, as in ops.events';

TRUNCATE TABLE IF EXISTS ops.batches;
