SELECT subject_did, count(DISTINCT did), min(moment) FROM blocks_last WHERE operation <> 'delete'
GROUP BY subject_did ORDER BY 2 DESC, 1 LIMIT 20
