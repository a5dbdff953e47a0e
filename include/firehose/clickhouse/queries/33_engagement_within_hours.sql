-- What a post got within six hours
-- Accounts that liked, reposted, answered or quoted the posts of the latest day and the day before within six hours of
-- their being seen; what they took back later is counted, an account once for each. Of the 1,000 posts that were given most.
-- Reads: ops.engagement_by_hour by partition; ops.events by partition, key; ops.edges by partition, key; ops.names by partition, key
WITH
    (SELECT max(day) FROM firehose.events_by_minute) AS latest,
    best AS
    (
        SELECT account, record FROM ops.engagement_by_hour
        WHERE day >= latest - 1 AND kind IN ('like', 'repost', 'reply', 'quote') AND collection = 'app.bsky.feed.post'
        GROUP BY account, record ORDER BY sum(made) DESC LIMIT 1000
    ),
    written AS
    (
        SELECT account AS author, record AS post_record, rkey AS key, min(at) AS born FROM ops.events
        WHERE day >= latest - 1 AND account IN (SELECT account FROM best) AND type = 'posts'
            AND operation = 'create' AND NOT resync
        GROUP BY author, post_record, key
    ),
    names AS
    (
        SELECT DISTINCT number, name FROM ops.names
        WHERE day >= latest - 1 AND number IN (SELECT arrayJoin([account, record]) FROM best)
    )
SELECT concat('at://', authors.name, '/app.bsky.feed.post/', if(key = '', keys.name, key)) AS post,
    uniqExactIf(account, kind = 'like') AS likes, uniqExactIf(account, kind = 'repost') AS reposts,
    uniqExactIf(account, kind = 'reply') AS replies, uniqExactIf(account, kind = 'quote') AS quotes
FROM ops.edges AS given
INNER JOIN written ON author = target AND post_record = target_record
INNER JOIN names AS authors ON authors.number = target
LEFT JOIN names AS keys ON keys.number = target_record
WHERE given.day >= latest - 1 AND (target, target_record) IN (SELECT account, record FROM best) AND change = 1
    AND given.at BETWEEN born AND born + INTERVAL 6 HOUR AND given.collection = 'app.bsky.feed.post'
GROUP BY post
ORDER BY likes + reposts + replies + quotes DESC, post
LIMIT 20
