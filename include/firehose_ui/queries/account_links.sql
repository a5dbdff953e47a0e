-- Hosts and registered domains that an account's posts link to, as they were written
SELECT arrayJoin(domains) AS name, uniqExact(rkey) AS posts
FROM firehose.post_texts
WHERE did = {did:String} AND hour IN (SELECT hour_start FROM firehose.account_events(did = {did:String}) WHERE type = 'posts')
GROUP BY name
ORDER BY posts DESC, name
LIMIT 20
