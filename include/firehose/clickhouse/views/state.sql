-- Records of a type as they were at a moment, by the events from another moment on: FROM firehose.state(type = 'posts', seen_since = '2026-11-17 00:00:00', at = '2026-11-24 00:00:00'). A row for each time that one was there; those that existed have no until
(
    type           String                         COMMENT 'Record type; an empty text as the parameter asks for all',
    did            String                         COMMENT 'The account',
    collection     String                         COMMENT 'NSID of the collection',
    rkey           String                         COMMENT 'Record key',
    uri            String                         COMMENT 'at:// address of the record',
    since          Nullable(DateTime64(6, 'UTC')) COMMENT 'When its making was seen; NULL: it was not, from seen_since on',
    first_seen     DateTime64(6, 'UTC')           COMMENT 'When an event was first about it, by its resync where only that was',
    changed        Nullable(DateTime64(6, 'UTC')) COMMENT 'When its latest form was seen, by its resync where only that was; NULL: only its deletion was seen',
    until          Nullable(DateTime64(6, 'UTC')) COMMENT 'When its deletion was seen; NULL: it existed',
    edits          UInt64                         COMMENT 'Updates of it that were seen',
    rev            String                         COMMENT 'Revision of the repository that wrote or deleted it last',
    subject_did    String                         COMMENT 'The account that it is about, or whose record: followed, liked, answered …; empty: none, or not known',
    account_status String                         COMMENT 'Why its account was not active at that moment, as in account_marks; empty: it was, as far as is known'
)
AS WITH
    /* lives */,
    found AS
    (
        SELECT type, account, collection, record, arrayJoin(lives_of(groupArray((rev, at, toString(operation), resync, edges.kind,
            edges.account, edges.collection, edges.record)))) AS life, form_of(life).6[1] AS subject
        FROM ops.events
        WHERE operation IN ('create', 'update', 'delete') AND ({type:String} = '' OR type = {type:String})
            AND day BETWEEN toDate({seen_since:DateTime64(6, 'UTC')}) AND toDate({at:DateTime64(6, 'UTC')})
            AND at >= {seen_since:DateTime64(6, 'UTC')} AND at < {at:DateTime64(6, 'UTC')}
        GROUP BY account, type, collection, record
    ),
    named AS
    (
        SELECT number, any(name) AS name FROM ops.names
        WHERE day BETWEEN toDate({seen_since:DateTime64(6, 'UTC')}) AND toDate({at:DateTime64(6, 'UTC')})
        GROUP BY number
    )
SELECT type, a.name AS did, collection, if(bitTest(record, 63), k.name, tid_of(record)) AS rkey,
    concat('at://', did, '/', collection, '/', rkey) AS uri, since_of(life) AS since, first_seen_of(life) AS first_seen,
    changed_of(life) AS changed, until_of(life) AS until, countEqual(life.3, 'update') AS edits, tid_of(life[-1].1) AS rev,
    ifNull(s.name, '') AS subject_did, ifNull(m.account_status, '') AS account_status
FROM found
LEFT JOIN named AS a ON a.number = found.account
LEFT JOIN named AS s ON s.number = found.subject
LEFT JOIN (SELECT number, name FROM named WHERE bitTest(number, 63) AND NOT startsWith(name, 'did:')) AS k ON k.number = found.record
LEFT JOIN
(
    SELECT cityHash64(did) AS account, if(argMax(status, (at, seq)) = '', 'inactive', argMax(status, (at, seq))) AS account_status
    FROM ops.account_changes
    WHERE kind = 'account' AND at < {at:DateTime64(6, 'UTC')}
    GROUP BY did
    HAVING NOT argMax(active, (at, seq))
) AS m ON m.account = found.account
