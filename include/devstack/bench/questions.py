"""The questions of ``firehose bench query``: each on the tables, on the lake's views, and on a table of JSON.

JSONBench's five, with its own columns, and what people ask of one account, of one post and of a day. All answers
to one question are equal. Must not: run them.
"""

from __future__ import annotations

from typing import Final, NamedTuple

from firehose.warehouse import event_rows


class Question(NamedTuple):
    """One question in SQL; ``duckdb`` is for a view ``events`` over the same Parquet. Empty: not asked there."""

    table: str
    lake: str
    json: str
    duckdb: str = ""


_COMMITS: Final = "data.kind = 'commit' AND data.commit.operation = 'create'"
_COLLECTION: Final = "data.commit.collection"
_JSON_AT: Final = "fromUnixTimestamp64Micro(data.time_us)"
_POST: Final = "app.bsky.feed.post"
_THREE: Final = "('app.bsky.feed.post', 'app.bsky.feed.repost', 'app.bsky.feed.like')"


def _of_top(select: str, order: str) -> str:
    """Three accounts of the posters of a day, with their DIDs."""
    top = (
        f"SELECT account, {select} AS value FROM ops.accounts_by_day WHERE collection = '{_POST}'"
        f" AND operation = 'create' GROUP BY account ORDER BY value {order} LIMIT 3"
    )
    # A scalar, since a subquery that is named twice runs twice.
    names = "SELECT DISTINCT number, name FROM ops.names WHERE number IN (SELECT arrayJoin(top).1)"
    return (
        f"WITH (SELECT groupArray((account, value)) FROM ({top})) AS top SELECT name, one.2 AS value"
        f" FROM (SELECT arrayJoin(top) AS one) AS t JOIN ({names}) AS n ON n.number = one.1 ORDER BY value {order}"
    )


#: JSONBench's questions (github.com/ClickHouse/JSONBench).
JSONBENCH: Final = {
    "Q1": Question(
        "SELECT collection, sum(events) FROM ops.collections_by_hour GROUP BY collection",
        "SELECT collection, count() FROM firehose.events GROUP BY collection",
        f"SELECT toString({_COLLECTION}), count() FROM {{json}} GROUP BY ALL",
        "SELECT collection, count(*) FROM events GROUP BY ALL",
    ),
    "Q2": Question(
        "SELECT collection, sum(events), uniqExact(account) FROM ops.accounts_by_day WHERE operation = 'create'"
        " GROUP BY collection",
        "SELECT collection, count(), uniqExact(did) FROM firehose.events WHERE operation = 'create'"
        " GROUP BY collection",
        f"SELECT toString({_COLLECTION}), count(), uniqExact(data.did) FROM {{json}} WHERE {_COMMITS}"
        " GROUP BY ALL",
        "SELECT collection, count(*), count(DISTINCT did) FROM events WHERE operation = 'create' GROUP BY ALL",
    ),
    "Q3": Question(
        f"SELECT collection, toHour(hour) AS of_day, sum(events) FROM ops.collections_by_hour"
        f" WHERE operation = 'create' AND collection IN {_THREE} GROUP BY collection, of_day",
        "SELECT collection, hour, count() FROM firehose.events"
        f" WHERE operation = 'create' AND collection IN {_THREE} GROUP BY collection, hour",
        f"SELECT toString({_COLLECTION}), toHour({_JSON_AT}, 'UTC'), count() FROM {{json}} WHERE {_COMMITS}"
        f" AND {_COLLECTION} IN {_THREE} GROUP BY ALL",
        f"SELECT collection, time_us // 3600000000 % 24, count(*) FROM events WHERE operation = 'create'"
        f" AND collection IN {_THREE} GROUP BY ALL",
    ),
    "Q4": Question(
        _of_top("toUnixTimestamp64Micro(min(first_at))", "ASC"),
        f"SELECT did, min(time_us) AS first FROM firehose.events WHERE collection = '{_POST}'"
        " AND operation = 'create' GROUP BY did ORDER BY first LIMIT 3",
        f"SELECT toString(data.did) AS did, min(data.time_us) AS first FROM {{json}} WHERE {_COMMITS}"
        f" AND {_COLLECTION} = '{_POST}' GROUP BY did ORDER BY first LIMIT 3",
        f"SELECT did, min(time_us) AS first FROM events WHERE collection = '{_POST}' AND operation = 'create'"
        " GROUP BY did ORDER BY first LIMIT 3",
    ),
    "Q5": Question(
        _of_top("dateDiff('microseconds', min(first_at), max(last_at))", "DESC"),
        f"SELECT did, max(time_us) - min(time_us) AS span FROM firehose.events WHERE collection = '{_POST}'"
        " AND operation = 'create' GROUP BY did ORDER BY span DESC LIMIT 3",
        f"SELECT toString(data.did) AS did, max(data.time_us) - min(data.time_us) AS span FROM {{json}}"
        f" WHERE {_COMMITS} AND {_COLLECTION} = '{_POST}' GROUP BY did ORDER BY span DESC LIMIT 3",
        f"SELECT did, max(time_us) - min(time_us) AS span FROM events WHERE collection = '{_POST}'"
        " AND operation = 'create' GROUP BY did ORDER BY span DESC LIMIT 3",
    ),
}


def others(did: str, uri: str) -> dict[str, Question]:
    """What people ask of one account, of one post and of the most liked ones."""
    account = event_rows.account(f"'{did}'")
    of, record = event_rows.address(uri)
    return {
        "one account": Question(
            f"SELECT type, operation, count(), toUnixTimestamp64Micro(max(at)) FROM ops.events"
            f" WHERE account = {account} GROUP BY type, operation",
            f"SELECT type, operation, count(), max(time_us) FROM firehose.events WHERE did = '{did}'"
            " GROUP BY type, operation",
            "",
        ),
        "likes of one post": Question(
            f"SELECT count(), uniqExact(account) FROM ops.edges WHERE target = {of} AND target_record = {record}"
            " AND kind = 'like' AND change = 1",
            f"SELECT count(), uniqExact(did) FROM firehose.likes WHERE subject_uri = '{uri}'"
            " AND operation = 'create'",
            f"SELECT count(), uniqExact(toString(data.did)) FROM {{json}} WHERE {_COMMITS}"
            f" AND {_COLLECTION} = 'app.bsky.feed.like' AND data.commit.record.subject.uri = '{uri}'",
        ),
        "most liked": Question(
            "SELECT sum(made) AS likes FROM ops.engagement_by_hour WHERE kind = 'like' GROUP BY account, record"
            " ORDER BY likes DESC LIMIT 20",
            "SELECT count() AS likes FROM firehose.likes WHERE operation = 'create' GROUP BY subject_uri"
            " ORDER BY likes DESC LIMIT 20",
            f"SELECT count() AS likes FROM {{json}} WHERE {_COMMITS} AND {_COLLECTION} = 'app.bsky.feed.like'"
            " GROUP BY toString(data.commit.record.subject.uri) ORDER BY likes DESC LIMIT 20",
        ),
    }
