-- The handle of each account over time, as its identity events say; what it was before the first is not known
(
    did    String                         COMMENT 'The account',
    handle String                         COMMENT 'Its handle in that time',
    since  DateTime64(6, 'UTC')           COMMENT 'When an event first said so; the handle may be older',
    until  Nullable(DateTime64(6, 'UTC')) COMMENT 'When an event named another one; NULL: it is the latest known'
)
AS SELECT did, named AS handle, witnessed_at AS since, leadInFrame(toNullable(witnessed_at)) OVER (
    PARTITION BY did ORDER BY time_us, seq ROWS BETWEEN UNBOUNDED PRECEDING AND UNBOUNDED FOLLOWING) AS until
FROM
(
    SELECT did, assumeNotNull(handle) AS named, time_us, seq, witnessed_at, lagInFrame(assumeNotNull(handle)) OVER (
        PARTITION BY did ORDER BY time_us, seq ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW) AS before
    FROM firehose.identities
    WHERE handle IS NOT NULL
)
WHERE named != before
