-- Most liked and reposted posts of a week
-- Accounts whose like or repost of the latest seven days stood at their end, each once, of the 100 posts that were given
-- most. Accounts and record keys are numbers in the tables of events, and ops.names has their texts.
-- Reads: ops.engagement_by_hour by partition; ops.edges by partition, key; ops.names by partition, key
WITH
    (SELECT max(day) FROM firehose.events_by_minute) AS latest,
    best AS
    (
        SELECT account, record FROM ops.engagement_by_hour
        WHERE day > latest - 7 AND kind IN ('like', 'repost') AND collection = 'app.bsky.feed.post'
        GROUP BY account, record ORDER BY sum(made) DESC LIMIT 100
    ),
    standing AS
    (
        SELECT target, target_record, target_rkey, kind, account FROM ops.edges
        WHERE day > latest - 7 AND (target, target_record) IN (SELECT account, record FROM best)
            AND kind IN ('like', 'repost') AND collection = 'app.bsky.feed.post'
        GROUP BY target, target_record, target_rkey, kind, account, record
        HAVING argMax(change, at) = 1
    ),
    names AS
    (
        SELECT DISTINCT number, name FROM ops.names
        WHERE day > latest - 7 AND number IN (SELECT arrayJoin([account, record]) FROM best)
    )
SELECT concat('at://', authors.name, '/app.bsky.feed.post/', if(target_rkey = '', keys.name, target_rkey)) AS post,
    uniqExactIf(account, kind = 'like') AS likes, uniqExactIf(account, kind = 'repost') AS reposts
FROM standing
INNER JOIN names AS authors ON authors.number = target
LEFT JOIN names AS keys ON keys.number = target_record
GROUP BY post
ORDER BY likes + reposts DESC, post
LIMIT 20
