-- What one record was given in each hour, by the tables: FROM firehose.engagement(uri = 'at://…')
(
    date       Date            COMMENT 'UTC day',
    hour_start DateTime('UTC') COMMENT 'Start of the hour',
    kind       String          COMMENT 'like, repost, reply, root, quote or list',
    made       UInt64          COMMENT 'Made in that hour; what a resync sent again is not counted',
    undone     UInt64          COMMENT 'Taken back in that hour, whenever they were made'
)
AS WITH
    splitByChar('/', {uri:String}) AS parts,
    if(match(parts[5], '^[2-7a-j][2-7a-z]{12}$'), byteSwap(reinterpretAsUInt64(substring(
        tryBase32Decode(concat('AAA', translate(parts[5], '234567abcdefghijklmnopqrstuvwxyz',
        'ABCDEFGHIJKLMNOPQRSTUVWXYZ234567'))), 3))), bitOr(cityHash64(parts[5]), 0x8000000000000000)) AS wanted
SELECT day AS date, hour AS hour_start, kind, sum(e.made) AS made, sum(e.undone) AS undone
FROM ops.engagement_by_hour AS e
WHERE account = cityHash64(parts[3]) AND record = wanted AND collection = parts[4]
GROUP BY day, hour, kind
ORDER BY hour, kind
