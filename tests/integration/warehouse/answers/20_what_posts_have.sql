SELECT day, count(*), round(count(reply_parent_uri) / count(*), 4),
    round(count(*) FILTER (embed->>'$."$type"' IN ('app.bsky.embed.record', 'app.bsky.embed.recordWithMedia')) / count(*), 4),
    round(count(*) FILTER (media_type(embed) = 'images') / count(*), 4),
    round(count(*) FILTER (media_type(embed) = 'video') / count(*), 4),
    round(count(*) FILTER (is_gif(embed->'external'->>'uri')) / count(*), 4),
    round(count(*) FILTER (len(list_filter(links, lambda x: NOT is_gif(x))) > 0) / count(*), 4)
FROM written GROUP BY day ORDER BY day
