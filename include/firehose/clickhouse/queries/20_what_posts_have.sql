-- What posts have
-- Share of posts by day that are replies, quote, show images, GIFs or a video, or link to something.
-- Reads: ops.post_texts by partition
SELECT day, count() AS created, round(avg(is_reply), 4) AS replies, round(avg(has_quote), 4) AS quotes,
    round(avg(has_images), 4) AS images, round(avg(has_video), 4) AS videos, round(avg(has_gif), 4) AS gifs,
    round(avg(has_link), 4) AS links
FROM firehose.post_texts
WHERE day > (SELECT max(day) FROM firehose.events_by_minute) - 7 AND operation = 'create'
GROUP BY day
ORDER BY day
