-- What a resync sends again is told apart from what is new.
ALTER TABLE firehose.events_by_minute COMMENT COLUMN operation
    'create, update or delete; resync: a create that was sent again; sync; empty for identities and accounts';
