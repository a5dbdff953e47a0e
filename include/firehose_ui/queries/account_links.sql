-- Hosts and registered domains that an account's posts link to, as they were written
SELECT arrayJoin(domains) AS name, uniqExact(rkey) AS posts
FROM firehose.post_texts
WHERE did = {did:String} AND hour IN (SELECT hour FROM ops.events WHERE account = cityHash64({did:String}) AND type = 'posts')
GROUP BY name
ORDER BY posts DESC, name
LIMIT 20
