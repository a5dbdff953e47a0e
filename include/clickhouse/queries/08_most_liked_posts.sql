-- Most liked posts, with their text
-- Likes of the latest day; the text is there where the post itself was witnessed on that day too.
WITH
    (SELECT max(day) FROM firehose.most_liked_posts_by_hour) AS latest,
    liked AS
    (
        SELECT uri, sum(likes) AS total FROM firehose.most_liked_posts_by_hour WHERE day = latest
        GROUP BY uri ORDER BY total DESC, uri LIMIT 20
    )
SELECT liked.total AS likes, liked.uri AS uri, posts.text AS text
FROM liked
LEFT JOIN
(
    SELECT uri, any(text) AS text FROM firehose.posts
    WHERE date = latest AND operation = 'create' AND uri IN (SELECT uri FROM liked)
    GROUP BY uri
) AS posts ON posts.uri = liked.uri
ORDER BY likes DESC, uri
