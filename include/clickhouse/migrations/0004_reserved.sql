-- Holds the number for a migration that is being written elsewhere.
SELECT 1;
