SELECT date, count() AS created, round(avg(is_reply), 4) AS replies, round(avg(has_quote), 4) AS quotes,
    round(avg(has_images), 4) AS images, round(avg(has_video), 4) AS videos, round(avg(has_gif), 4) AS gifs,
    round(avg(has_link), 4) AS links
FROM firehose.posts
WHERE date >= (SELECT max(day) FROM firehose.events_by_minute) - 6 AND operation = 'create' AND NOT resync
GROUP BY date
ORDER BY date
