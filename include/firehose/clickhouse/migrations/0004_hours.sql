-- What each hour file should hold, as its record in the lake said when the hour was last loaded. Rows of the lake that
-- are fewer than here are missing: a file is gone, or another one is in its place.
CREATE TABLE IF NOT EXISTS ops.hours
(
    hour        DateTime('UTC')        COMMENT 'Start of the hour',
    type        LowCardinality(String) COMMENT 'Record type',
    rows        UInt64                 COMMENT 'Rows of the hour file',
    bytes       UInt64                 COMMENT 'Its size',
    sha256      String                 COMMENT 'SHA-256 of the file, in hex',
    written_by  String                 COMMENT 'The batch that wrote it; or adopt or rebuild',
    recorded_at DateTime64(6, 'UTC')   COMMENT 'When it was written',
    loaded_at   DateTime64(6, 'UTC')   COMMENT 'When this row was loaded'
)
ENGINE = ReplacingMergeTree(loaded_at)
ORDER BY (hour, type)
COMMENT 'What each hour file holds by its record; read it with FINAL';
