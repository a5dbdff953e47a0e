-- Who had a handle, and when, as identity events say: FROM firehose.who_had(handle = 'name.example'). Of other times nothing is known
(
    did            String                         COMMENT 'The account',
    since          DateTime64(6, 'UTC')           COMMENT 'When an event first said that it has the handle; it may have had it before',
    last_said      DateTime64(6, 'UTC')           COMMENT 'When an event last said so',
    until          Nullable(DateTime64(6, 'UTC')) COMMENT 'When an event named another handle for it; NULL: this is its latest known',
    of_other_from  Nullable(DateTime64(6, 'UTC')) COMMENT 'When, before until, an event said that another account has the handle. Only one has it at a time, so this one had lost it by then; NULL: no event',
    account_status String                         COMMENT 'Why the account is not active now, as in account_marks; empty: it is, as far as is known'
)
AS WITH
    lower({handle:String}) AS wanted,
    holders AS (SELECT did FROM ops.account_changes WHERE handle = wanted GROUP BY did),
    spans AS
    (
        SELECT did, arraySplit((event, before) -> event.3 != before, events, arrayPushFront(arrayPopBack(events.3), events[1].3)) AS spans
        FROM
        (
            SELECT did, arraySort(groupArray((at, seq, handle))) AS events
            FROM ops.account_changes
            WHERE did IN (holders) AND handle != ''
            GROUP BY did
        )
    ),
    held AS
    (
        SELECT did, span[1].1 AS begin, span[-1].1 AS last, ending
        FROM spans
        ARRAY JOIN spans AS span, arrayPushBack(arrayMap(next -> toNullable(next[1].1), arrayPopFront(spans)), NULL) AS ending
        WHERE span[1].3 = wanted
    )
SELECT h.did AS did, begin AS since, last AS last_said, ending AS until, if(next < ifNull(ending, next + 1), next, NULL) AS of_other_from,
    ifNull(m.account_status, '') AS account_status
FROM
(
    SELECT did, begin, last, ending, leadInFrame(toNullable(begin)) OVER (
        ORDER BY begin, did ROWS BETWEEN UNBOUNDED PRECEDING AND UNBOUNDED FOLLOWING) AS next
    FROM held
) AS h
LEFT JOIN (SELECT did, account_status FROM firehose.account_marks WHERE did IN (holders)) AS m ON m.did = h.did
ORDER BY since, did
