-- Hosts and registered domains that an account's posts link to, as they were written
SELECT arrayJoin(domains) AS name, uniqExact(rkey) AS posts
FROM firehose.post_texts
WHERE (day, hour, at, did) IN
(
    SELECT day, hour, at, {did:String} FROM ops.events
    WHERE account = cityHash64({did:String}) AND type = 'posts' AND operation IN ('create', 'update')
)
GROUP BY name
ORDER BY posts DESC, name
LIMIT 20
