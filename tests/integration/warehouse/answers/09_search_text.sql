SELECT moment, did, text FROM written
WHERE time_us // 3600000000 = (SELECT max(time_us) // 3600000000 FROM written) AND has_word(text)
ORDER BY moment DESC, did LIMIT 20
