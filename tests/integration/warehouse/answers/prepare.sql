CREATE MACRO account_of(uri) AS regexp_extract(coalesce(uri, ''), '^at://(did:[^/]+)', 1);
CREATE MACRO sampled(did) AS CAST('0x' || substr(md5(did), 1, 8) AS UINTEGER) / 4294967296;
CREATE MACRO media(embed) AS CASE
    WHEN embed->>'$."$type"' LIKE '%recordWithMedia' THEN embed->'media' ELSE CAST(embed AS JSON) END;
CREATE MACRO media_type(embed) AS regexp_extract(coalesce(media(embed)->>'$."$type"', ''), '[^.]*$');
CREATE MACRO is_gif(url) AS regexp_matches(url, '^https?://(media.tenor.com|static.klipy.com|(media|i).giphy.com)/');
CREATE MACRO has_word(said) AS regexp_matches(lower(coalesce(said, '')), '\bcoffee\b');
CREATE MACRO latest() AS (SELECT max(day) FROM everything);
CREATE VIEW written AS FROM posts WHERE operation = 'create';
CREATE TABLE standing_likes AS
    SELECT did, subject_uri, min(moment) AS since, count(*) AS records FROM likes_last WHERE operation <> 'delete' GROUP BY ALL;
-- Accounts that follow: before the latest day, at its end, and whether a follow was made on it.
CREATE TABLE pairs AS
WITH told AS
(
    SELECT follows.* EXCLUDE subject_did, subject FROM follows JOIN
    (SELECT did, rkey, max(subject_did) AS subject FROM follows GROUP BY ALL HAVING max(subject_did) IS NOT NULL)
    USING (did, rkey)
),
at_end AS (FROM told QUALIFY row_number() OVER (PARTITION BY did, rkey ORDER BY rev DESC) = 1),
at_start AS (FROM told WHERE day < latest() QUALIFY row_number() OVER (PARTITION BY did, rkey ORDER BY rev DESC) = 1),
made AS (SELECT DISTINCT did, rkey FROM told WHERE day = latest() AND operation = 'create')
SELECT at_end.did, at_end.subject, bool_or(at_end.operation <> 'delete') AS after,
    bool_or(coalesce(at_start.operation <> 'delete', false)) AS before, bool_or(made.did IS NOT NULL) AS began
FROM at_end LEFT JOIN at_start USING (did, rkey) LEFT JOIN made USING (did, rkey)
GROUP BY ALL;
CREATE TABLE turns AS
SELECT 'reply' AS kind, did AS source, account_of(reply_parent_uri) AS target, reply_parent_uri AS about, moment, day
    FROM written WHERE reply_parent_uri IS NOT NULL
UNION ALL SELECT 'quote', did, account_of(quoted_uri), quoted_uri, moment, day FROM written WHERE quoted_uri IS NOT NULL
UNION ALL SELECT 'mention', did, unnest(mentions), '', moment, day FROM written
UNION ALL SELECT 'like', did, account_of(subject_uri), subject_uri, moment, day FROM likes WHERE operation = 'create'
UNION ALL SELECT 'repost', did, account_of(subject_uri), subject_uri, moment, day FROM reposts WHERE operation = 'create'
UNION ALL SELECT 'follow', did, subject_did, '', moment, day FROM follows WHERE operation = 'create'
UNION ALL SELECT 'block', did, subject_did, '', moment, day FROM blocks WHERE operation = 'create';
CREATE TABLE named AS
WITH told AS
(
    SELECT did, handle, moment, time_us, seq, lag(handle) OVER (PARTITION BY did ORDER BY time_us, seq) AS before
    FROM identities WHERE handle IS NOT NULL
)
SELECT did, handle, moment AS since, lead(moment) OVER (PARTITION BY did ORDER BY time_us, seq) AS until
FROM told WHERE before IS NULL OR before <> handle;
CREATE TABLE states AS
FROM accounts QUALIFY row_number() OVER (PARTITION BY did ORDER BY time_us DESC, seq DESC) = 1;
CREATE TABLE profiles_now AS
SELECT did, operation, description FROM profiles WHERE rkey = 'self'
QUALIFY row_number() OVER (PARTITION BY did ORDER BY rev DESC) = 1;
-- What is known of each account from when to when; nothing before its first event.
CREATE TABLE histories AS
WITH told AS
(
    SELECT did, moment, time_us, seq, 1 AS kind, handle, NULL AS status FROM identities
    UNION ALL
    SELECT did, moment, time_us, seq, 2, NULL, CASE WHEN active THEN 'active' ELSE coalesce(status, 'inactive') END FROM accounts
),
known AS
(
    SELECT did, moment, time_us, seq, kind, last_value(handle IGNORE NULLS) OVER so_far AS handle,
        last_value(status IGNORE NULLS) OVER so_far AS status
    FROM told
    WINDOW so_far AS (PARTITION BY did ORDER BY time_us, seq, kind ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW)
),
changed AS
(
    SELECT * FROM known WINDOW in_order AS (PARTITION BY did ORDER BY time_us, seq, kind)
    QUALIFY handle IS DISTINCT FROM lag(handle) OVER in_order OR status IS DISTINCT FROM lag(status) OVER in_order
)
SELECT did, handle, status, moment AS since, lead(moment) OVER (PARTITION BY did ORDER BY time_us, seq, kind) AS until FROM changed
UNION ALL
SELECT told.did, NULL, NULL, NULL, min(changed.moment) FROM told LEFT JOIN changed USING (did) GROUP BY told.did;
