-- Summaries by hour (UTC, by witnessed time). A day is one partition, because a refresh builds the day's
-- partition in a staging table and swaps it in whole. Nobody inserts into these tables directly.
CREATE TABLE IF NOT EXISTS firehose.events_by_minute
(
    day       Date                   COMMENT 'UTC day, the partition',
    minute    DateTime('UTC')        COMMENT 'Start of the minute',
    type      LowCardinality(String) COMMENT 'Record type',
    operation LowCardinality(String) COMMENT 'create, update or delete; empty for identities and accounts',
    events    UInt64                 COMMENT 'Events witnessed in that minute'
)
ENGINE = MergeTree PARTITION BY day ORDER BY (minute, type, operation)
COMMENT 'Events by minute, record type and operation';

-- In ops, because a state is no value to read: its bytes change whenever a merge or a copy writes it anew, though
-- what it stands for does not, and clients of plain types (clickhouse-connect is one) cannot select it at all.
CREATE TABLE IF NOT EXISTS ops.account_states_by_hour
(
    day      Date                   COMMENT 'UTC day, the partition',
    hour     DateTime('UTC')        COMMENT 'Start of the hour',
    type     LowCardinality(String) COMMENT 'Record type, or all',
    accounts UInt64                 COMMENT 'Distinct accounts, exact',
    state    AggregateFunction(uniqCombined64, String) COMMENT 'Sketch of the accounts: uniqCombined64Merge(state)'
)
ENGINE = MergeTree PARTITION BY day ORDER BY (hour, type)
COMMENT 'Accounts with an event, with states that can be merged over any hours';

CREATE OR REPLACE VIEW firehose.active_accounts_by_hour
(
    day      Date                   COMMENT 'UTC day',
    hour     DateTime('UTC')        COMMENT 'Start of the hour',
    type     LowCardinality(String) COMMENT 'Record type, or all',
    accounts UInt64                 COMMENT 'Distinct accounts with an event, exact'
)
AS SELECT day, hour, type, accounts FROM ops.account_states_by_hour
COMMENT 'Accounts with an event by hour and record type';

CREATE OR REPLACE VIEW firehose.active_accounts_by_day
(
    day      Date                   COMMENT 'UTC day',
    type     LowCardinality(String) COMMENT 'Record type, or all',
    accounts UInt64                 COMMENT 'Distinct accounts with an event, estimated: within 1% or so'
)
AS SELECT day, type, uniqCombined64Merge(state) AS accounts FROM ops.account_states_by_hour GROUP BY day, type
COMMENT 'Accounts with an event by day and record type, merged from the hours';

CREATE TABLE IF NOT EXISTS firehose.languages_by_hour
(
    day   Date                   COMMENT 'UTC day, the partition',
    hour  DateTime('UTC')        COMMENT 'Start of the hour',
    lang  LowCardinality(String) COMMENT 'Language as the client declared it; empty: none',
    posts UInt64                 COMMENT 'Posts created; one with several languages counts for each'
)
ENGINE = MergeTree PARTITION BY day ORDER BY (hour, lang)
COMMENT 'Posts created by hour and declared language';

CREATE TABLE IF NOT EXISTS firehose.hashtags_by_hour
(
    day      Date            COMMENT 'UTC day, the partition',
    hour     DateTime('UTC') COMMENT 'Start of the hour',
    tag      String          COMMENT 'Hashtag in lower case, without #',
    posts    UInt64          COMMENT 'Posts created with it',
    accounts UInt64          COMMENT 'Distinct accounts that wrote them, exact'
)
ENGINE = MergeTree PARTITION BY day ORDER BY (hour, tag)
COMMENT 'Posts created by hour and hashtag';

CREATE TABLE IF NOT EXISTS firehose.link_domains_by_hour
(
    day      Date            COMMENT 'UTC day, the partition',
    hour     DateTime('UTC') COMMENT 'Start of the hour',
    domain   String          COMMENT 'Host of the links, in lower case, without www.',
    posts    UInt64          COMMENT 'Posts created that link to it',
    accounts UInt64          COMMENT 'Distinct accounts that wrote them, exact'
)
ENGINE = MergeTree PARTITION BY day ORDER BY (hour, domain)
COMMENT 'Posts created by hour and linked domain';

CREATE TABLE IF NOT EXISTS firehose.links_by_hour
(
    day      Date            COMMENT 'UTC day, the partition',
    hour     DateTime('UTC') COMMENT 'Start of the hour',
    url      String          COMMENT 'Link as in the record',
    domain   String          COMMENT 'Its host, in lower case, without www.',
    posts    UInt64          COMMENT 'Posts created that link to it',
    accounts UInt64          COMMENT 'Distinct accounts that wrote them, exact'
)
ENGINE = MergeTree PARTITION BY day ORDER BY (hour, posts, url)
COMMENT 'The 1,000 links of each hour that most posts shared; ties in the order of the URL';

CREATE TABLE IF NOT EXISTS firehose.most_liked_posts_by_hour
(
    day   Date            COMMENT 'UTC day, the partition',
    hour  DateTime('UTC') COMMENT 'Start of the hour',
    uri   String          COMMENT 'The record that was liked',
    likes UInt64          COMMENT 'Likes created in that hour'
)
ENGINE = MergeTree PARTITION BY day ORDER BY (hour, likes, uri)
COMMENT 'The 1,000 records of each hour with most likes; ties in the order of the uri';
