WITH
    (SELECT max(day) FROM firehose.events_by_minute) AS latest,
    written AS
    (
        SELECT uri, min(witnessed_at) AS born FROM firehose.posts
        WHERE date BETWEEN latest - 1 AND latest AND operation = 'create' AND NOT resync
        GROUP BY uri
    )
SELECT written.uri AS post, uniqExactIf(source_did, kind = 'like') AS likes,
    uniqExactIf(source_did, kind = 'repost') AS reposts, uniqExactIf(source_did, kind = 'reply') AS replies,
    uniqExactIf(source_did, kind = 'quote') AS quotes
FROM written
INNER JOIN firehose.edges AS turns ON turns.target_uri = written.uri
WHERE turns.date >= latest - 1 AND turns.witnessed_at BETWEEN born AND born + INTERVAL 6 HOUR
GROUP BY post
ORDER BY likes + reposts + replies + quotes DESC, post
LIMIT 20
