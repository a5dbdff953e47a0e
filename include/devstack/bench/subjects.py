"""Whom and what the readers of a benchmark look at, from the busiest to usual ones. Must not: know the page."""

from __future__ import annotations

from typing import NamedTuple

from clickhouse_connect.driver.client import Client


class Subjects(NamedTuple):
    """Whom and what readers look at: busy and usual accounts, posts that got much and little, collections.

    ``since`` and ``until`` are the ends of the data, in seconds since 1970.
    """

    since: int
    until: int
    accounts: list[str]
    handles: list[str]
    posts: list[str]
    collections: list[str]


def subjects_of(client: Client, since: int, until: int) -> Subjects:
    """Accounts and posts from the busiest to usual ones, and collections."""
    return Subjects(
        since=since,
        until=until,
        accounts=_some(client, "SELECT did FROM firehose.events GROUP BY did ORDER BY count() DESC, did"),
        handles=_some(
            client, "SELECT handle FROM firehose.handles WHERE handle != '' GROUP BY handle ORDER BY handle"
        ),
        posts=[
            *_some(
                client,
                "SELECT assumeNotNull(subject_uri) AS uri FROM firehose.likes"
                " WHERE operation = 'create' AND uri LIKE '%/app.bsky.feed.post/%'"
                " GROUP BY uri ORDER BY count() DESC, uri",
            ),
            *_some(
                client,
                "SELECT assumeNotNull(reply_root_uri) AS uri FROM firehose.posts"
                " WHERE uri LIKE '%/app.bsky.feed.post/%' GROUP BY uri ORDER BY count() DESC, uri",
            ),
        ],
        collections=_some(
            client,
            "SELECT toString(collection) FROM ops.collections_by_hour WHERE collection != ''"
            " GROUP BY collection ORDER BY sum(events) DESC, collection",
        ),
    )


def _some(client: Client, query: str) -> list[str]:
    """The first of an order, and more the further one goes."""
    found = [str(name) for (name,) in client.query(f"{query} LIMIT 1000").result_rows]
    return [found[at] for at in (0, 1, 3, 10, 30, 100, 300, 999) if at < len(found)]
