-- Descriptions that several accounts share
-- Of profiles written since the lake begins, as they are now. From the lake: no table has profiles.
-- Reads: profiles whole; other whole; ops.account_changes whole
SELECT description, count() AS accounts, groupArraySorted(3)(did) AS some_of_them
FROM firehose.current_profiles
WHERE description != ''
GROUP BY description
HAVING accounts > 1
ORDER BY accounts DESC, description
LIMIT 20
