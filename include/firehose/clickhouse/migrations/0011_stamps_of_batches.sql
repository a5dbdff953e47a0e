-- What a listing of the ledger says of a batch's entry: while it is the same, the entry need not be read again.
ALTER TABLE ops.batches ADD COLUMN IF NOT EXISTS
    stamp String COMMENT 'Stamp of its entry in the lake''s ledger, as last read' AFTER loaded_at;
