-- Descriptions that several accounts share
-- Of profiles written since the lake begins, as they are now.
SELECT description, count() AS accounts, groupArraySorted(3)(did) AS some_of_them
FROM firehose.current_profiles
WHERE description != ''
GROUP BY description
HAVING accounts > 1
ORDER BY accounts DESC, description
LIMIT 20
