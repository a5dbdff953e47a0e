-- The handle of each account over time, as its identity events say; what it was before the first is not known
(
    did    String                         COMMENT 'The account',
    handle String                         COMMENT 'Its handle in that time',
    since  DateTime64(6, 'UTC')           COMMENT 'When an event first said so; the handle may be older',
    until  Nullable(DateTime64(6, 'UTC')) COMMENT 'When an event named another one; NULL: it is the latest known'
)
AS SELECT did, handle, at AS since, leadInFrame(toNullable(at)) OVER (
    PARTITION BY did ORDER BY at, seq ROWS BETWEEN UNBOUNDED PRECEDING AND UNBOUNDED FOLLOWING) AS until
FROM
(
    SELECT did, handle, at, seq, lagInFrame(handle) OVER (
        PARTITION BY did ORDER BY at, seq ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW) AS before
    FROM ops.account_changes
    WHERE handle != ''
)
WHERE handle != before
