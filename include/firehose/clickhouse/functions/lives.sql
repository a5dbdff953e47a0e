-- What the events of one record say of its lives, of which each ends with a deletion. An event is (rev, at, operation, resync, kinds,
-- accounts, collections, records), a life an array of events by revision. What only a resync told of has its time where
-- no other event gives one.
(events -> arraySplit((event, before) -> before = 'delete', arraySort(events),
    arrayPushFront(arrayPopBack(arraySort(events).3), ''))) AS lives_of,
(life -> arrayFilter(event -> event.3 = 'create' AND NOT event.4, life)) AS made_in,
(life -> arrayFilter(event -> event.3 != 'delete', life)) AS written_in,
(some -> if(arrayAll(event -> event.4, some), some, arrayFilter(event -> NOT event.4, some))) AS witnessed,
(life -> if(empty(made_in(life)), NULL, made_in(life)[-1].2)) AS since_of,
(life -> arrayMin(witnessed(life).2)) AS first_seen_of,
(life -> if(empty(written_in(life)), NULL, witnessed(written_in(life))[-1].2)) AS changed_of,
(life -> if(life[-1].3 = 'delete', life[-1].2, NULL)) AS until_of,
(life -> if(empty(written_in(life)), life[-1], written_in(life)[-1])) AS form_of,
(number -> if(number = 0 OR bitTest(number, 63), '', translate(substring(base32Encode(concat(unhex('0000'),
    reinterpretAsFixedString(byteSwap(number)))), 4), 'ABCDEFGHIJKLMNOPQRSTUVWXYZ234567', '234567abcdefghijklmnopqrstuvwxyz'))) AS tid_of
