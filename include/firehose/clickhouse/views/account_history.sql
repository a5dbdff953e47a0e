-- Who each account was over time: its handle and its status, and when nothing is known of them. An account that is not in it had no event
(
    did    String                         COMMENT 'The account',
    since  Nullable(DateTime64(6, 'UTC')) COMMENT 'When an event first said so; NULL: before its first event',
    until  Nullable(DateTime64(6, 'UTC')) COMMENT 'When an event said otherwise; NULL: it is the latest known',
    handle Nullable(String)               COMMENT 'Its handle; NULL: not known, as no event had named it yet',
    status Nullable(String)               COMMENT 'active, or why it is not: deactivated, deleted, takendown, suspended, or inactive where none was said; NULL: not known, as no event had said yet'
)
AS WITH
    said AS
    (
        SELECT did, arraySort(groupArray((at, seq, toString(kind), handle,
            multiIf(kind = 'identity', '', active, 'active', status = '', 'inactive', toString(status))))) AS events
        FROM ops.account_changes
        GROUP BY did
    ),
    known AS
    (
        SELECT did, arrayFill(h -> h != '', events.4) AS handles, arrayFill(s -> s != '', events.5) AS statuses,
            arrayFilter((event, handle, status, handle_before, status_before) -> (handle, status) != (handle_before, status_before),
                arrayZip(events.1, handles, statuses), handles, statuses, arrayPushFront(arrayPopBack(handles), ''),
                arrayPushFront(arrayPopBack(statuses), '')) AS changes
        FROM said
    )
SELECT did, tupleElement(change, 1) AS since, ending AS until, nullIf(tupleElement(change, 2), '') AS handle,
    nullIf(tupleElement(change, 3), '') AS status
FROM known
ARRAY JOIN
    arrayPushFront(arrayMap(c -> (toNullable(c.1), c.2, c.3), changes), (CAST(NULL, 'Nullable(DateTime64(6, \'UTC\'))'), '', '')) AS change,
    arrayPushBack(arrayMap(c -> toNullable(c.1), changes), NULL) AS ending
