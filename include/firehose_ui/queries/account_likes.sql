-- Accounts whose records an account likes, reposts, answers or quotes most, by what stands now
-- one of kind: like, repost, reply, quote, follow
SELECT splitByChar('/', replaceOne(arrayJoin(arrayFilter((t, k) -> k = {kind:String} AND t != '', targets, kinds)), 'at://', ''))[1] AS name, count() AS times
FROM firehose.records(did = {did:String})
WHERE until IS NULL
GROUP BY name
ORDER BY times DESC, name
LIMIT 20
