-- Profiles, lists, list items and starter packs are types of their own. The summaries count by type, so they are made again
-- from the lake: what says which batches are loaded is emptied, and the next refresh builds every hour.
TRUNCATE TABLE IF EXISTS ops.batches;
