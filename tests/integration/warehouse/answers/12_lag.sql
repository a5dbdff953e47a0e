WITH timely AS
(
    SELECT type, (time_us - epoch_us(created_at)) / 1000 AS claimed, (time_us - tid_us) / 1000 AS keyed
    FROM (FROM (SELECT 'posts' AS type, time_us, created_at, tid_us, operation FROM posts
        UNION ALL SELECT 'likes', time_us, created_at, tid_us, operation FROM likes
        UNION ALL SELECT 'follows', time_us, created_at, tid_us, operation FROM follows
        UNION ALL SELECT 'reposts', time_us, created_at, tid_us, operation FROM reposts
        UNION ALL SELECT 'blocks', time_us, created_at, tid_us, operation FROM blocks
        UNION ALL SELECT 'profiles', time_us, created_at, tid_us, operation FROM profiles
        UNION ALL SELECT 'lists', time_us, created_at, tid_us, operation FROM lists
        UNION ALL SELECT 'listitems', time_us, created_at, tid_us, operation FROM listitems
        UNION ALL SELECT 'starterpacks', time_us, created_at, tid_us, operation FROM starterpacks
        UNION ALL SELECT 'other', time_us, created_at, tid_us, operation FROM other))
    WHERE time_us // 3600000000 = (SELECT max(time_us) // 3600000000 FROM everything) AND operation = 'create'
        AND epoch_us(created_at) BETWEEN time_us - 86400000000 AND time_us + 3600000000
)
SELECT type, count(*) FROM timely GROUP BY type ORDER BY 2 DESC, type
