-- Labels that authors put on posts
-- On the latest seven days. Labels of moderation services are a stream of their own and are not in the lake;
-- labels that authors put are in the lake only, and in no table.
-- Reads: posts of 7 days
SELECT label, count() AS labelled, uniqExact(did) AS accounts
FROM firehose.posts
ARRAY JOIN self_labels AS label
WHERE date >= (SELECT max(day) FROM firehose.events_by_minute) - 6 AND operation = 'create' AND NOT resync
GROUP BY label
ORDER BY labelled DESC, label
