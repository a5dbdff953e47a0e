"""``firehose clickhouse``: serves the embedded ClickHouse over HTTP until it is stopped.

Lives here: the command. Must not: how the endpoint works.
"""

from __future__ import annotations


def clickhouse_serve() -> None:
    """Serve the embedded ClickHouse over HTTP, with its data in the home folder."""
    from devstack.embedded.clickhouse import serve
    from firehose import settings

    serve(settings.load())
