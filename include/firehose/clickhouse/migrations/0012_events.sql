-- Tables of events, so that questions need not read the lake: each event in some twenty bytes by account, what it was
-- about by its target, and sums of both. Accounts and record keys are numbers of 64 bits there: a TID is its own value,
-- any other key and every DID a hash, whose text is in ops.names. All of them follow the ledger, a day a partition.
CREATE TABLE IF NOT EXISTS ops.events_read
(
    batch      DateTime64(3, 'UTC')   COMMENT 'Start of the interval whose run stored it',
    day        Date                   COMMENT 'UTC day',
    hour       DateTime('UTC')        COMMENT 'Start of the hour',
    at         DateTime64(6, 'UTC')   COMMENT 'When the host saw it',
    did        String                 COMMENT 'The account',
    type       LowCardinality(String) COMMENT 'Record type',
    operation  LowCardinality(String) COMMENT 'As in ops.events',
    collection LowCardinality(String) COMMENT 'As in ops.events',
    rkey       String                 COMMENT 'Record key',
    rev        String                 COMMENT 'Revision',
    resync     Bool                   COMMENT 'As in ops.events',
    edges Nested
    (
        kind       LowCardinality(String),
        did        String,
        collection LowCardinality(String),
        rkey       String
    ) COMMENT 'What the record is about'
)
ENGINE = MergeTree ORDER BY tuple()
COMMENT 'The form of events as they are read from the lake; always empty';

CREATE TABLE IF NOT EXISTS ops.events
(
    day          Date                   CODEC(ZSTD(3)) COMMENT 'UTC day, the partition',
    hour         DateTime('UTC')        CODEC(ZSTD(3)) COMMENT 'Start of the hour',
    at           DateTime64(6, 'UTC')   CODEC(Delta, ZSTD(3)) COMMENT 'When the host saw it',
    account      UInt64                 CODEC(ZSTD(3)) COMMENT 'Number of the account: cityHash64 of its DID',
    type         LowCardinality(String) CODEC(ZSTD(3)) COMMENT 'Record type',
    operation    LowCardinality(String) CODEC(ZSTD(3)) COMMENT 'create, update, delete or sync; empty for identities and accounts',
    collection   LowCardinality(String) CODEC(ZSTD(3)) COMMENT 'NSID of the collection; empty for identities, accounts and sync events',
    record_after Int64                  CODEC(ZSTD(3)) COMMENT 'record, less the TID of at',
    rev_after    Int64                  CODEC(ZSTD(3)) COMMENT 'rev, less record; of deletes and keys that are not TIDs, less the TID of at',
    resync       Bool                   CODEC(ZSTD(3)) COMMENT 'Whether it was sent again by a resync',
    edges Nested
    (
        kind       LowCardinality(String),
        account    UInt64,
        collection LowCardinality(String),
        record     UInt64
    ) COMMENT 'What the record is about; of a delete, what the record was about, if its create was seen',
    record       UInt64 ALIAS toUInt64(toUnixTimestamp64Micro(at) * 1024 + record_after)
        COMMENT 'Number of the record key: the value of a TID, or a hash with the highest bit set; 0: none',
    rkey         String ALIAS if(record = 0 OR bitTest(record, 63), '', translate(substring(base32Encode(concat(unhex('0000'), reinterpretAsFixedString(byteSwap(record)))), 4),
        'ABCDEFGHIJKLMNOPQRSTUVWXYZ234567', '234567abcdefghijklmnopqrstuvwxyz'))
        COMMENT 'The record key where it is a TID; empty: it is not, or there is none',
    rev          UInt64 ALIAS toUInt64(if(operation = 'delete' OR record = 0 OR bitTest(record, 63),
        toUnixTimestamp64Micro(at) * 1024, toInt64(record)) + rev_after)
        COMMENT 'Number of the revision: the value of its TID; 0: none'
)
ENGINE = MergeTree PARTITION BY day ORDER BY (account, type, at) SETTINGS index_granularity = 2048
COMMENT 'Every event, by account';

-- Creates whose key's time is not that of the event: so that a delete, which names the key only, finds its create by
-- the day of the key, or here.
CREATE TABLE IF NOT EXISTS ops.strays AS ops.events
ENGINE = MergeTree PARTITION BY day ORDER BY (account, type, at)
COMMENT 'Creates of keys that are not of their day, as in ops.events';

CREATE TABLE IF NOT EXISTS ops.edges
(
    day          Date                   CODEC(ZSTD(3)) COMMENT 'UTC day, the partition',
    hour         DateTime('UTC')        CODEC(ZSTD(3)) COMMENT 'Start of the hour',
    at           DateTime64(6, 'UTC')   CODEC(Delta, ZSTD(3)) COMMENT 'When it was made, or taken back',
    kind         LowCardinality(String) CODEC(ZSTD(3)) COMMENT 'like, repost, reply, root, quote, mention, follow, block, member or list',
    target       UInt64                 CODEC(ZSTD(3)) COMMENT 'Number of the account that it is about, or whose record',
    collection   LowCardinality(String) CODEC(ZSTD(3)) COMMENT 'Collection of the record that it is about; empty: the account itself',
    target_record UInt64                CODEC(ZSTD(3)) COMMENT 'Number of the key of that record; 0: the account itself',
    account      UInt64                 CODEC(ZSTD(3)) COMMENT 'Number of the account that did it',
    record_after Int64                  CODEC(ZSTD(3)) COMMENT 'record, less the TID of at',
    change       Int8                   CODEC(ZSTD(3)) COMMENT '1: made; -1: taken back',
    record       UInt64 ALIAS toUInt64(toUnixTimestamp64Micro(at) * 1024 + record_after)
        COMMENT 'Number of the key of the record that says so',
    rkey         String ALIAS if(record = 0 OR bitTest(record, 63), '', translate(substring(base32Encode(concat(unhex('0000'), reinterpretAsFixedString(byteSwap(record)))), 4),
        'ABCDEFGHIJKLMNOPQRSTUVWXYZ234567', '234567abcdefghijklmnopqrstuvwxyz'))
        COMMENT 'That key where it is a TID; empty: it is not',
    target_rkey  String ALIAS if(target_record = 0 OR bitTest(target_record, 63), '', translate(substring(base32Encode(concat(unhex('0000'), reinterpretAsFixedString(byteSwap(target_record)))), 4),
        'ABCDEFGHIJKLMNOPQRSTUVWXYZ234567', '234567abcdefghijklmnopqrstuvwxyz'))
        COMMENT 'The key of the record that it is about where it is a TID; empty: it is not, or it is about the account'
)
ENGINE = MergeTree PARTITION BY day ORDER BY (target, target_record, kind, at) SETTINGS index_granularity = 2048
COMMENT 'What was about whom, by target; what a resync sent again is not in it';

CREATE TABLE IF NOT EXISTS ops.engagement_by_hour
(
    day        Date                   CODEC(ZSTD(3)) COMMENT 'UTC day, the partition',
    hour       DateTime('UTC')        CODEC(ZSTD(3)) COMMENT 'Start of the hour',
    account    UInt64                 CODEC(ZSTD(3)) COMMENT 'Number of the account whose record it is',
    collection LowCardinality(String) CODEC(ZSTD(3)) COMMENT 'Collection of the record',
    record     UInt64                 CODEC(ZSTD(3)) COMMENT 'Number of its key',
    kind       LowCardinality(String) CODEC(ZSTD(3)) COMMENT 'like, repost, reply, root, quote or list',
    made       UInt64                 CODEC(T64, ZSTD(3)) COMMENT 'Made in that hour',
    undone     UInt64                 CODEC(T64, ZSTD(3)) COMMENT 'Taken back in that hour, whenever they were made',
    rkey       String ALIAS if(record = 0 OR bitTest(record, 63), '', translate(substring(base32Encode(concat(unhex('0000'), reinterpretAsFixedString(byteSwap(record)))), 4),
        'ABCDEFGHIJKLMNOPQRSTUVWXYZ234567', '234567abcdefghijklmnopqrstuvwxyz'))
        COMMENT 'The key of the record where it is a TID; empty: it is not'
)
ENGINE = SummingMergeTree((made, undone)) PARTITION BY day ORDER BY (account, record, collection, kind, hour)
COMMENT 'Likes, reposts, replies and quotes of each record by hour; read it with sum()';

CREATE TABLE IF NOT EXISTS ops.accounts_by_day
(
    day        Date                                CODEC(ZSTD(3)) COMMENT 'UTC day, the partition',
    account    UInt64                              CODEC(ZSTD(3)) COMMENT 'Number of the account',
    type       LowCardinality(String)              CODEC(ZSTD(3)) COMMENT 'Record type',
    collection LowCardinality(String)              CODEC(ZSTD(3)) COMMENT 'As in ops.events',
    operation  LowCardinality(String)              CODEC(ZSTD(3)) COMMENT 'As in ops.events',
    resync     Bool                                CODEC(ZSTD(3)) COMMENT 'As in ops.events',
    events     SimpleAggregateFunction(sum, UInt64) CODEC(T64, ZSTD(3)) COMMENT 'Events',
    first_at   SimpleAggregateFunction(min, DateTime64(6, 'UTC')) CODEC(ZSTD(3)) COMMENT 'When the first was seen',
    last_at    SimpleAggregateFunction(max, DateTime64(6, 'UTC')) CODEC(ZSTD(3)) COMMENT 'When the last was seen'
)
ENGINE = AggregatingMergeTree PARTITION BY day ORDER BY (collection, operation, resync, type, account)
COMMENT 'What each account did on a day; read it with sum(), min() and max()';

CREATE TABLE IF NOT EXISTS ops.collections_by_hour
(
    day        Date                   COMMENT 'UTC day, the partition',
    hour       DateTime('UTC')        COMMENT 'Start of the hour',
    type       LowCardinality(String) COMMENT 'Record type',
    collection LowCardinality(String) COMMENT 'As in ops.events',
    operation  LowCardinality(String) COMMENT 'As in ops.events',
    resync     Bool                   COMMENT 'As in ops.events',
    events     UInt64                 COMMENT 'Events'
)
ENGINE = SummingMergeTree(events) PARTITION BY day ORDER BY (hour, type, collection, operation, resync)
COMMENT 'Events by hour and collection; read it with sum()';

CREATE TABLE IF NOT EXISTS ops.names
(
    day    Date   CODEC(ZSTD(3)) COMMENT 'UTC day, the partition',
    number UInt64 CODEC(ZSTD(3)) COMMENT 'Number of an account, or of a record key that is not a TID',
    name   String CODEC(ZSTD(3)) COMMENT 'The DID, or the key'
)
ENGINE = ReplacingMergeTree PARTITION BY day ORDER BY number SETTINGS index_granularity = 1024
COMMENT 'What the numbers of the events of a day stand for; a number may be there more than once';

-- Batches of which rows may be there although they do not count as loaded: a load was not finished, or their hour was
-- made again before their turn. When it comes, their hours are made again.
CREATE TABLE IF NOT EXISTS ops.adding
(
    batch String COMMENT 'Its name in the lake'
)
ENGINE = MergeTree ORDER BY batch
COMMENT 'Batches whose rows may be in the tables of events although they are not in ops.batches';

TRUNCATE TABLE IF EXISTS ops.batches;
