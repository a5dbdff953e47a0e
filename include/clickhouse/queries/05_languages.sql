-- Languages of posts
-- Share of posts by declared language on the latest day; a post with several languages counts for each.
SELECT if(lang = '', '(none)', lang) AS language, sum(posts) AS total,
    round(total / sum(total) OVER (), 4) AS share
FROM firehose.languages_by_hour
WHERE day = (SELECT max(day) FROM firehose.languages_by_hour)
GROUP BY language
ORDER BY total DESC, language
LIMIT 20
