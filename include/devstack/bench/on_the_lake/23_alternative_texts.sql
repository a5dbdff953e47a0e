WITH liked AS (SELECT subject_uri AS uri, count() AS likes FROM firehose.current_likes GROUP BY uri)
SELECT multiIf(arrayAll(alt -> alt != '', alt_texts), 'all', arrayExists(alt -> alt != '', alt_texts), 'some', 'none')
    AS described, count() AS existing, sum(length(alt_texts)) AS images, countIf(likes > 0) AS ever_liked,
    round(avg(likes), 4) AS mean_likes
FROM firehose.current_posts AS posts
LEFT JOIN liked ON liked.uri = posts.uri
WHERE has_images AND toDate(witnessed_at) >= (SELECT max(day) FROM firehose.events_by_minute) - 6
GROUP BY described
ORDER BY described
