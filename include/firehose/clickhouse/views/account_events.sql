-- Everything that one account did, by the tables: FROM firehose.account_events(did = 'did:plc:…')
(
    date         Date                 COMMENT 'UTC day',
    hour_start   DateTime('UTC')      COMMENT 'Start of the hour, whose files in the lake have the rest of the event',
    witnessed_at DateTime64(6, 'UTC') COMMENT 'When the host saw it',
    type         String               COMMENT 'Record type',
    operation    String               COMMENT 'create, update, delete or sync; empty for identities and accounts',
    collection   String               COMMENT 'NSID of the collection; empty for identities, accounts and sync events',
    rkey         String               COMMENT 'Record key; empty for identities and accounts',
    uri          String               COMMENT 'at:// address of the record; empty for identities, accounts and sync events',
    resync       Bool                 COMMENT 'Whether it was sent again by a resync',
    kinds        Array(String)        COMMENT 'How it is about others: like, reply, root, quote, mention, follow …; of a delete as of what it deleted',
    targets      Array(String)        COMMENT 'What it is about: an address or a DID for each of these kinds'
)
AS WITH
    of_account AS
    (
        SELECT day, hour, at, type, operation, collection, record, rkey, resync, edges.kind AS kinds,
            edges.account AS accounts, edges.collection AS collections, edges.record AS records
        FROM ops.events WHERE account = cityHash64({did:String})
    ),
    (
        SELECT (groupArray(number), groupArray(name)) FROM
        (
            SELECT DISTINCT number, name FROM ops.names WHERE (day, number) IN
            (SELECT DISTINCT day, arrayJoin(arrayConcat(accounts, records, [record])) FROM of_account)
        )
    ) AS named
SELECT day AS date, hour AS hour_start, at AS witnessed_at, type, operation, collection,
    if(bitTest(record, 63), transform(record, named.1, named.2, ''), of_account.rkey) AS rkey,
    if(collection = '', '', concat('at://', {did:String}, '/', collection, '/', rkey)) AS uri, resync, kinds,
    arrayMap((a, c, r) -> concat(if(r = 0, '', 'at://'), transform(a, named.1, named.2, ''), if(r = 0, '', concat('/', c, '/',
        if(bitTest(r, 63), transform(r, named.1, named.2, ''), translate(substring(base32Encode(concat(unhex('0000'),
        reinterpretAsFixedString(byteSwap(r)))), 4), 'ABCDEFGHIJKLMNOPQRSTUVWXYZ234567',
        '234567abcdefghijklmnopqrstuvwxyz'))))), accounts, collections, records) AS targets
FROM of_account
ORDER BY witnessed_at
