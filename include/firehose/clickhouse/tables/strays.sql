SELECT * FROM {source}
WHERE operation = 'create' AND notEmpty(edges.kind)
    AND (bitTest(record, 63) OR abs(toInt64(bitShiftRight(record, 10)) - toUnixTimestamp64Micro(at)) > 86400000000)
    OR operation = 'delete' AND empty(edges.kind)
