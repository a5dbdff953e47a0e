-- The accounts with most events in whole hours, with their handle and why they are not active; what a resync sent again is left out
-- kept 60 s
WITH
    (
        SELECT groupArray((account, latest, events))
        FROM
        (
            SELECT account, max(day) AS latest, count() AS events FROM ops.events
            WHERE day BETWEEN toDate({since:DateTime('UTC')}) AND toDate({until:DateTime('UTC')})
                AND hour >= {since:DateTime('UTC')} AND hour < {until:DateTime('UTC')} AND NOT resync
            GROUP BY account
            ORDER BY events DESC, account
            LIMIT 20
        )
    ) AS busiest,
    best AS (SELECT one.1 AS account, one.2 AS latest, one.3 AS events FROM (SELECT arrayJoin(busiest) AS one)),
    named AS (SELECT DISTINCT number, name FROM ops.names WHERE (day, number) IN (SELECT latest, account FROM best))
SELECT n.name AS did, b.events, ifNull(h.handle, '') AS handle, ifNull(m.account_status, '') AS status
FROM best AS b
INNER JOIN named AS n ON n.number = b.account
LEFT JOIN
(
    SELECT did, argMax(handle, since) AS handle FROM firehose.handles
    WHERE since < {until:DateTime('UTC')} AND did IN (SELECT name FROM named)
    GROUP BY did
) AS h ON h.did = n.name
LEFT JOIN (SELECT did, account_status FROM firehose.account_marks WHERE did IN (SELECT name FROM named)) AS m ON m.did = n.name
ORDER BY b.events DESC, did
SETTINGS join_use_nulls = 1
