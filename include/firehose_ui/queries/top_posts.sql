-- The posts that accounts gave most likes or reposts in whole hours
-- Their texts are another question, texts_of: what refers to the best makes the engine plan the search for them again
-- one of kind: like, repost
-- kept 60 s
SELECT uri, accounts AS given
FROM firehose.top_records(kind = {kind:String}, since = {since:DateTime('UTC')}, until = {until:DateTime('UTC')}, top = 30)
WHERE accounts > 0 AND uri LIKE '%/app.bsky.feed.post/%'
ORDER BY given DESC, uri
LIMIT 10
