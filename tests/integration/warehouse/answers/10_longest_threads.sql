WITH today AS (FROM posts WHERE day = latest()),
made AS (SELECT reply_root_uri AS thread, count(*) AS answers FROM today WHERE operation = 'create' GROUP BY ALL),
undone AS
(
    SELECT c.reply_root_uri AS thread, count(*) AS taken_back
    FROM (FROM today WHERE operation = 'delete') AS d ASOF JOIN written AS c ON c.uri = d.uri AND c.rev < d.rev
    GROUP BY ALL
),
final AS
(
    SELECT did, reply_root_uri AS thread FROM written AS c WHERE day = latest()
        AND NOT EXISTS (FROM today AS d WHERE d.uri = c.uri AND d.operation = 'delete' AND d.rev > c.rev)
),
stood AS (SELECT thread, count(DISTINCT did) AS people FROM final GROUP BY ALL)
SELECT thread, answers, coalesce(taken_back, 0), coalesce(people, 0)
FROM made LEFT JOIN undone USING (thread) LEFT JOIN stood USING (thread)
WHERE thread IS NOT NULL ORDER BY answers DESC, thread LIMIT 20
