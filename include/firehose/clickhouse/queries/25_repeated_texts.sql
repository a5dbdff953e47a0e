-- Texts that several accounts posted
-- On the latest day, ignoring case, width and surrounding blanks.
-- Reads: ops.post_texts by partition
SELECT trimBoth(normalizeUTF8NFKCCasefold(text)) AS said, count() AS times, uniqExact(did) AS accounts
FROM firehose.post_texts
WHERE day = (SELECT max(day) FROM firehose.events_by_minute) AND operation = 'create' AND text != ''
GROUP BY said
HAVING accounts > 1
ORDER BY accounts DESC, said
LIMIT 20
