WITH judged AS
(
    SELECT day, did, regexp_matches(lower(array_to_string(links, ' ')),
        'https?://([a-z.]+\.)?(theguardian\.com|nytimes\.com|bbc\.co\.uk|apnews\.com|reuters\.com|nhk\.or\.jp)[./]') AS news
    FROM written
)
SELECT day, count(*), count(*) FILTER (news), round(count(*) FILTER (news) / count(*), 5),
    count(DISTINCT did) FILTER (news)
FROM judged GROUP BY day ORDER BY day
