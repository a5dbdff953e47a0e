-- A deletion has no CID: its key has the operation in its place, or it would be that of the record where no CID was kept.
SELECT DISTINCT toDate(hour_start), hour_start,
    cityHash64(did, collection, rkey, ifNull(if(rkey = '', subject_did, cid), if(operation = 'create', '', operation))) AS key,
    if(operation = 'create', cityHash64(did, collection, rkey, if(rkey = '', ifNull(subject_did, ''), '')), key), store, cityHash64(did),
    multiIf(rkey = '', 0, match(rkey, '^[2-7a-j][2-7a-z]{12}$'), byteSwap(reinterpretAsUInt64(substring(
        tryBase32Decode(concat('AAA', translate(rkey, '234567abcdefghijklmnopqrstuvwxyz', 'ABCDEFGHIJKLMNOPQRSTUVWXYZ234567'))), 3))),
        bitOr(cityHash64(rkey), 0x8000000000000000))
FROM firehose.imported
WHERE hour_start IN {hours:Array(DateTime('UTC'))}
