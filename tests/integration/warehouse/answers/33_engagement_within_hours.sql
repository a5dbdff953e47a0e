WITH born AS (SELECT uri, min(moment) AS moment FROM written WHERE day >= latest() - 1 GROUP BY uri),
counted AS
(
    SELECT uri, count(DISTINCT source) FILTER (kind = 'like') AS l, count(DISTINCT source) FILTER (kind = 'repost') AS r,
        count(DISTINCT source) FILTER (kind = 'reply') AS a, count(DISTINCT source) FILTER (kind = 'quote') AS q
    FROM born JOIN turns ON about = uri AND turns.moment BETWEEN born.moment AND born.moment + INTERVAL 6 HOUR GROUP BY uri
)
FROM counted ORDER BY l + r + a + q DESC, uri LIMIT 20
