SELECT description, count(*), list_sort(list(did))[1:3] FROM profiles_now
WHERE operation <> 'delete' AND description <> ''
GROUP BY description HAVING count(*) > 1 ORDER BY 2 DESC, 1 LIMIT 20
