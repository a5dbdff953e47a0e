-- Most blocked accounts
-- Accounts that block them, by the blocks that stand among those written since the lake begins. From the lake, where
-- blocks have files of their own; ops.edges would be read whole.
-- Reads: blocks whole; ops.account_changes whole
SELECT subject_did, count() AS blocked_by, min(since) AS first_seen
FROM firehose.current_blocks
GROUP BY subject_did
ORDER BY blocked_by DESC, subject_did
LIMIT 20
