SELECT date_trunc('hour', moment), count(*), count(*) FILTER (has_word(text)), round(avg(has_word(text)::INT), 5)
FROM written GROUP BY 1 ORDER BY 1
