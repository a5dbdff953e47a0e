-- Languages by hour of the day
-- Share of each hour's posts by their first declared language: every post counts once. Hours are UTC.
-- Reads: firehose.languages_by_hour whole
SELECT toHour(hour) AS hour_of_day, multiIf(lang = '', '(none)', lang = 'und', '(no language)', lang) AS language,
    sum(posts_first) AS written, round(written / sum(written) OVER (PARTITION BY hour_of_day), 4) AS share
FROM firehose.languages_by_hour
GROUP BY hour_of_day, language
HAVING written > 0
ORDER BY hour_of_day, written DESC, language
