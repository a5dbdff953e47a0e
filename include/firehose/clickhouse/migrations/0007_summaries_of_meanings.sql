-- Summaries by what people meant: tags and hosts in one spelling, languages in canonical form, likes that stand. They are
-- made again from the lake: what says which batches are loaded is emptied, and the next refresh builds every hour.
DROP TABLE IF EXISTS firehose.languages_by_hour;
DROP TABLE IF EXISTS firehose.hashtags_by_hour;
DROP TABLE IF EXISTS firehose.link_domains_by_hour;
DROP TABLE IF EXISTS firehose.links_by_hour;
DROP TABLE IF EXISTS firehose.most_liked_posts_by_hour;

CREATE TABLE IF NOT EXISTS firehose.languages_by_hour
(
    day         Date                   COMMENT 'UTC day, the partition',
    hour        DateTime('UTC')        COMMENT 'Start of the hour',
    lang        LowCardinality(String) COMMENT 'Declared language without region or script: en of en-US; und: what is no language tag; empty: none declared',
    posts       UInt64                 COMMENT 'Posts created that declare it; one with several languages counts for each',
    posts_first UInt64                 COMMENT 'Posts created that declare it first; over all languages these are all posts, each once'
)
ENGINE = MergeTree PARTITION BY day ORDER BY (hour, lang)
COMMENT 'Posts created by hour and declared language';

CREATE TABLE IF NOT EXISTS firehose.hashtags_by_hour
(
    day      Date            COMMENT 'UTC day, the partition',
    hour     DateTime('UTC') COMMENT 'Start of the hour',
    tag      String          COMMENT 'Hashtag in one spelling, as in the column tags of posts',
    posts    UInt64          COMMENT 'Posts created with it',
    accounts UInt64          COMMENT 'Distinct accounts that wrote them, exact; hours cannot be added up'
)
ENGINE = MergeTree PARTITION BY day ORDER BY (hour, tag)
COMMENT 'Posts created by hour and hashtag';

CREATE TABLE IF NOT EXISTS firehose.link_domains_by_hour
(
    day      Date            COMMENT 'UTC day, the partition',
    hour     DateTime('UTC') COMMENT 'Start of the hour',
    domain   String          COMMENT 'Registered domain of links, as in the column link_domains of posts; empty: links without a host, such as tel:',
    posts    UInt64          COMMENT 'Posts created that link to it, each once',
    accounts UInt64          COMMENT 'Distinct accounts that wrote them, exact; hours cannot be added up',
    gifs     UInt64          COMMENT 'Of these posts, those that show a GIF of it, which is a picture and not a reference'
)
ENGINE = MergeTree PARTITION BY day ORDER BY (hour, domain)
COMMENT 'Posts created by hour and registered domain of their links';

CREATE TABLE IF NOT EXISTS firehose.link_hosts_by_hour
(
    day      Date            COMMENT 'UTC day, the partition',
    hour     DateTime('UTC') COMMENT 'Start of the hour',
    host     String          COMMENT 'Host of links, as in the column link_hosts of posts; empty: links without one, such as tel:',
    posts    UInt64          COMMENT 'Posts created that link to it, each once',
    accounts UInt64          COMMENT 'Distinct accounts that wrote them, exact; hours cannot be added up'
)
ENGINE = MergeTree PARTITION BY day ORDER BY (hour, host)
COMMENT 'Posts created by hour and host of their links';

CREATE TABLE IF NOT EXISTS firehose.links_by_hour
(
    day      Date            COMMENT 'UTC day, the partition',
    hour     DateTime('UTC') COMMENT 'Start of the hour',
    url      String          COMMENT 'Link as in the record',
    domain   String          COMMENT 'Its host, as in the column link_hosts of posts',
    posts    UInt64          COMMENT 'Posts created that link to it, each once',
    accounts UInt64          COMMENT 'Distinct accounts that wrote them, exact; hours cannot be added up'
)
ENGINE = MergeTree PARTITION BY day ORDER BY (hour, posts, url)
COMMENT 'Posts created by hour and link, all links: sums of posts over hours are exact';

CREATE TABLE IF NOT EXISTS firehose.most_liked_posts_by_hour
(
    day   Date            COMMENT 'UTC day, the partition',
    hour  DateTime('UTC') COMMENT 'Start of the hour',
    uri   String          COMMENT 'The record that was liked',
    likes UInt64          COMMENT 'Accounts that liked it in that hour and did not take that back within it'
)
ENGINE = MergeTree PARTITION BY day ORDER BY (hour, likes, uri)
COMMENT 'The top list of each hour, 1,000 records; ties in the order of the uri. Hours cannot be added up: for a longer span count in current_likes or likes';

TRUNCATE TABLE IF EXISTS ops.batches;
