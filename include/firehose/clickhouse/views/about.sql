-- Everything that was about one record or account, by the tables: FROM firehose.about(uri = 'at://…'), or uri = 'did:…'
(
    date         Date                 COMMENT 'UTC day',
    hour_start   DateTime('UTC')      COMMENT 'Start of the hour',
    witnessed_at DateTime64(6, 'UTC') COMMENT 'When it was made, or taken back',
    kind         String               COMMENT 'like, repost, reply, root, quote, mention, follow, block, member or list',
    undone       Bool                 COMMENT 'Whether it was taken back then',
    did          String               COMMENT 'The account that did it',
    rkey         String               COMMENT 'Key of the record that says so; empty where it is not a TID'
)
AS WITH
    splitByChar('/', {uri:String}) AS parts,
    startsWith({uri:String}, 'at://') AS of_record,
    cityHash64(if(of_record, parts[3], {uri:String})) AS wanted,
    multiIf(NOT of_record, 0, match(parts[5], '^[2-7a-j][2-7a-z]{12}$'), byteSwap(reinterpretAsUInt64(substring(
        tryBase32Decode(concat('AAA', translate(parts[5], '234567abcdefghijklmnopqrstuvwxyz',
        'ABCDEFGHIJKLMNOPQRSTUVWXYZ234567'))), 3))), bitOr(cityHash64(parts[5]), 0x8000000000000000)) AS wanted_record,
    found AS
    (
        SELECT day, hour, at, kind, change, account, rkey FROM ops.edges
        WHERE target = wanted AND target_record = wanted_record AND (NOT of_record OR collection = parts[4])
    )
SELECT day AS date, hour AS hour_start, at AS witnessed_at, kind, toBool(change < 0) AS undone, name AS did, rkey
FROM found
LEFT JOIN (SELECT DISTINCT number, name FROM ops.names WHERE (day, number) IN (SELECT day, account FROM found)) AS n
    ON n.number = found.account
ORDER BY witnessed_at
