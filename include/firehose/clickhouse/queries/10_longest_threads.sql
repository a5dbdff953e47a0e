-- Most answered threads
-- Answers written on the latest day, by the post that began the thread; those taken back on that day, whenever they were
-- written; and the people of whose answers of the day one still stood at its end.
-- Reads: ops.engagement_by_hour by partition; ops.edges by partition, key; ops.names by key
WITH (SELECT max(day) FROM firehose.events_by_minute) AS latest
SELECT uri AS thread, made AS answers, undone AS taken_back, accounts AS people
FROM firehose.top_records(kind = 'root', since = latest, until = latest + 1, top = 100)
ORDER BY answers DESC, thread
LIMIT 20
