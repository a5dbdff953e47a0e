-- Posts with a word
-- The latest hour, by the index of words, which are those of Unicode in any script, in small letters and without accents.
-- For a phrase hasPhrase(words, 'good morning'); more of both, and how to ask in any spelling, is in [search](search.md).
-- Reads: ops.post_texts by partition, key, index words
WITH (SELECT max(hour) FROM firehose.languages_by_hour) AS latest
SELECT at, did, text
FROM firehose.post_texts
WHERE day = toDate(latest) AND hour = latest AND operation = 'create' AND hasAllTokens(words, 'coffee')
ORDER BY at DESC, did
LIMIT 20
