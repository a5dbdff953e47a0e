"""Connections to ClickHouse over HTTP, and its errors as the project's own.

Lives here: opening a client in one of two roles, translating errors. Must not: any SQL (for clusters: cluster.py).
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final, Literal, cast

import clickhouse_connect
from clickhouse_connect.driver.client import Client
from clickhouse_connect.driver.exceptions import ClickHouseError
from urllib3 import PoolManager

from firehose.errors import FirehoseError, ServiceUnavailable
from firehose.settings import Settings, redacted
from firehose.warehouse import cluster
from firehose.warehouse.cluster import OnCluster

Role = Literal["loader", "analyst"]

#: A query that nobody waits for any more is cancelled.
_ENDS_WITH_ITS_READER: Final = {"cancel_http_readonly_queries_on_client_close": 1}
#: Seconds that one statement of a load may take.
_LOAD_SECONDS: Final = 900
# UNKNOWN_USER, WRONG_PASSWORD, REQUIRED_PASSWORD, AUTHENTICATION_FAILED
_REFUSED: Final = frozenset({192, 193, 194, 516})
_SERVER_TEXT = re.compile(r"Code:\s*(\d+)\.\s*(?:DB::Exception:\s*)*(.*)", re.DOTALL)
# Text that server and client append to the message.
_TRAILER = re.compile(r"\s*\(version [^()]*(?:\([^()]*\))?\)|\s*\(for url [^()]*\)$")


def connect(
    settings: Settings, role: Role = "loader", timeout_s: int | None = None, pool: PoolManager | None = None
) -> Client:
    """Connect to the server at ``settings.clickhouse_url``; ``loader`` may write, ``analyst`` may only read.

    ``timeout_s``: for whoever must not wait as long as a statement of the role may take. ``pool``: for whoever
    ends connections while a query runs, which cancels it.

    Raises:
        ServiceUnavailable: nothing answers there.
        FirehoseError: the server refuses the user or the password.
    """
    user = settings.clickhouse_loader if role == "loader" else settings.clickhouse_analyst
    password = settings.clickhouse_loader_password if role == "loader" else settings.clickhouse_analyst_password
    loads = role == "loader"
    try:
        client = clickhouse_connect.get_client(
            dsn=settings.clickhouse_url,
            username=user,
            password=password,
            # A session would serialise the queries of all threads that share the client.
            autogenerate_session_id=False,
            client_name="firehose",
            tz_mode="aware",
            # A rebuild of a large day outlasts what an analyst may ask for.
            settings=_loader_settings(settings) if loads else _ENDS_WITH_ITS_READER,
            pool_mgr=pool,
            # Just over the server's own limit, so that the server reports what took too long.
            send_receive_timeout=timeout_s or (_LOAD_SECONDS if loads else settings.query_max_seconds) + 30,
        )
    except ClickHouseError as error:
        where = redacted(settings.clickhouse_url)
        code = getattr(error, "code", None)
        if code in _REFUSED:
            raise FirehoseError(
                f"ClickHouse at {where} refuses user {user!r}: check FIREHOSE_CLICKHOUSE_{role.upper()}"
                f" and FIREHOSE_CLICKHOUSE_{role.upper()}_PASSWORD"
            ) from error
        if code is None:
            raise ServiceUnavailable(
                f"ClickHouse does not answer at {where}: start it, or set FIREHOSE_CLICKHOUSE_URL"
            ) from error
        raise translated(error) from error
    if loads and settings.clickhouse_cluster:
        return cast(Client, OnCluster(client, settings.clickhouse_cluster, settings.clickhouse_loader))
    return client


def _loader_settings(settings: Settings) -> dict[str, int]:
    of_cluster = cluster.SETTINGS if settings.clickhouse_cluster else {}
    return {"max_execution_time": _LOAD_SECONDS} | of_cluster


def translated(error: ClickHouseError) -> FirehoseError:
    """The error as one line for the user: ``ClickHouse: Code 62: Syntax error …``; without a code it went away."""
    match = _SERVER_TEXT.search(str(error))
    if not match:
        text = " ".join(str(error).split())
        return ServiceUnavailable(f"ClickHouse: the connection failed: {text}")
    text = " ".join(_TRAILER.sub("", match[2]).split())
    return FirehoseError(f"ClickHouse: Code {match[1]}: {text}")


@contextmanager
def clickhouse_errors() -> Iterator[None]:
    """Turn every error of clickhouse-connect inside the block into the project's own.

    Raises:
        ServiceUnavailable: the connection failed.
        FirehoseError: the server's answer, in one line.
    """
    try:
        yield
    except ClickHouseError as error:
        raise translated(error) from error
