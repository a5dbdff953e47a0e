SELECT did, since, records
FROM firehose.current_likes
WHERE subject_uri = (SELECT uri FROM firehose.most_liked_posts_by_hour
    WHERE day = (SELECT max(day) FROM firehose.most_liked_posts_by_hour) ORDER BY likes DESC, uri LIMIT 1)
ORDER BY since, did
LIMIT 100
