-- Languages of posts
-- Share of the latest day's posts that declare a language, whatever its region; a post with several counts for each.
-- Reads: firehose.languages_by_hour by partition
SELECT multiIf(lang = '', '(none)', lang = 'und', '(no language)', lang) AS language, sum(posts) AS declaring,
    round(declaring / (SELECT sum(posts_first) FROM firehose.languages_by_hour WHERE day = (
        SELECT max(day) FROM firehose.languages_by_hour)), 4) AS share
FROM firehose.languages_by_hour
WHERE day = (SELECT max(day) FROM firehose.languages_by_hour)
GROUP BY language
ORDER BY declaring DESC, language
LIMIT 20
