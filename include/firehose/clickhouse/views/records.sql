-- Every record of one account, as the tables of events know it: FROM firehose.records(did = 'did:plc:…'). A row for each time that it was there; those that exist have no until
(
    type           String                         COMMENT 'Record type',
    collection     String                         COMMENT 'NSID of the collection',
    rkey           String                         COMMENT 'Record key',
    uri            String                         COMMENT 'at:// address of the record',
    since          Nullable(DateTime64(6, 'UTC')) COMMENT 'When its making was seen; NULL: it was not, as the record is older than the lake, or was made in a gap',
    first_seen     DateTime64(6, 'UTC')           COMMENT 'When an event was first about it, by its resync where only that was',
    changed        Nullable(DateTime64(6, 'UTC')) COMMENT 'When its latest form was seen, by its resync where only that was; NULL: only its deletion was seen',
    until          Nullable(DateTime64(6, 'UTC')) COMMENT 'When its deletion was seen; NULL: it exists',
    edits          UInt64                         COMMENT 'Updates of it that were seen',
    rev            String                         COMMENT 'Revision of the repository that wrote or deleted it last',
    kinds          Array(String)                  COMMENT 'How it is about others, as in account_events',
    targets        Array(String)                  COMMENT 'What it is about: an address or a DID for each of these kinds',
    account_status String                         COMMENT 'Why the account is not active now, as in account_marks; empty: it is, as far as is known'
)
AS WITH
    /* lives */,
    found AS
    (
        SELECT type, collection, record, arrayJoin(lives_of(groupArray((rev, at, toString(operation), resync, edges.kind,
            edges.account, edges.collection, edges.record)))) AS life
        FROM ops.events
        WHERE account = cityHash64({did:String}) AND operation IN ('create', 'update', 'delete')
        GROUP BY account, type, collection, record
    ),
    (
        SELECT (groupArray(number), groupArray(name)) FROM
        (
            SELECT DISTINCT number, name FROM ops.names WHERE (day, number) IN
            (
                SELECT DISTINCT day, arrayJoin(arrayPushBack(arrayConcat(edges.account, edges.record), record)) FROM ops.events
                WHERE account = cityHash64({did:String})
            )
        )
    ) AS named,
    (n -> if(n = 0 OR bitTest(n, 63), transform(n, named.1, named.2, ''), tid_of(n))) AS key_of
SELECT type, collection, key_of(record) AS rkey, concat('at://', {did:String}, '/', collection, '/', rkey) AS uri,
    since_of(life) AS since, first_seen_of(life) AS first_seen, changed_of(life) AS changed, until_of(life) AS until,
    countEqual(life.3, 'update') AS edits, tid_of(life[-1].1) AS rev, form_of(life).5 AS kinds,
    arrayMap((a, c, r) -> concat(if(r = 0, '', 'at://'), transform(a, named.1, named.2, ''), if(r = 0, '', concat('/', c, '/', key_of(r)))),
        form_of(life).6, form_of(life).7, form_of(life).8) AS targets,
    ifNull((SELECT any(account_status) FROM firehose.account_marks WHERE did = {did:String}), '') AS account_status
FROM found
ORDER BY first_seen, uri
