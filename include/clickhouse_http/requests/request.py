"""One HTTP request as ClickHouse reads it: its parameters, settings and query parameters.

Lives here: the parameters that the HTTP interface defines. Must not: I/O, the engine.
"""

from __future__ import annotations

import re
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from clickhouse_http import exceptions
from clickhouse_http.requests.external import ExternalTable
from clickhouse_http.wire import formats

_DEFAULT_SESSION_TIMEOUT_S: Final = 60
_MAX_SESSION_TIMEOUT_S: Final = 3600
_MAX_DIGITS: Final = 10
_READONLY: Final = "readonly"
_QUERY_PARAMETER: Final = "param_"
_SETTING_NAME: Final = re.compile(r"^[A-Za-z_][A-Za-z0-9_.]*$")
#: Every other parameter is a setting. These have no effect here: stacktrace, buffer_size (nothing is held back),
#: quota_key (no quotas), log_comment (no query log; the endpoint uses it).
_TRANSPORT: Final = frozenset(
    {
        *("query", "database", "default_format", "user", "password", "query_id", "wait_end_of_query"),
        *("session_id", "session_timeout", "session_check", "close_session", "compress", "decompress", "role"),
        *("stacktrace", "buffer_size", "quota_key", "log_comment", "client_protocol_version"),
    }
)


@dataclass(frozen=True)
class SessionRequest:
    """The session that a request names."""

    id: str
    timeout_s: int
    must_exist: bool
    close: bool


@dataclass(frozen=True)
class Query:
    """A request without its body."""

    text: str  # the statement in the URL; the body may hold the rest of it, or all
    query_id: str
    output_format: str
    database: str
    parameters: Mapping[str, str]
    settings: Mapping[str, str]
    session: SessionRequest | None
    wait_end: bool
    compress: bool  # by HTTP's Content-Encoding
    blocks_in: bool  # the body is in ClickHouse's own compressed blocks
    blocks_out: bool  # the answer is to be in such blocks
    protocol_version: int  # of the client; 0: it named none
    read_only: bool  # it may change nothing: it is a GET, or asks for that
    external: Sequence[ExternalTable]  # tables that live as long as this query


def read(
    method: str,
    parameters: Mapping[str, str],
    headers: Mapping[str, str],
    external: Sequence[ExternalTable] = (),
) -> Query:
    """Read URL (or form) ``parameters`` and ``headers`` (by lower-case name); ``external`` came with them.

    Raises:
        QueryError: it asks for something that this endpoint does not support, or a value does not parse.
    """
    if parameters.get("role"):
        raise exceptions.refused(exceptions.NOT_IMPLEMENTED, "The role of a user is fixed on this endpoint.")
    settings = {
        name: value
        for name, value in parameters.items()
        if name not in _TRANSPORT and not name.startswith(_QUERY_PARAMETER)
    }
    # It could not be unset on the connection afterwards, which may be a session's.
    read_only = settings.get(_READONLY) in ("1", "2")
    if read_only:
        del settings[_READONLY]
    return Query(
        text=parameters.get("query", ""),
        query_id=parameters.get("query_id") or str(uuid.uuid4()),
        output_format=_named(parameters, headers, "default_format", "x-clickhouse-format") or formats.DEFAULT,
        database=_named(parameters, headers, "database", "x-clickhouse-database"),
        parameters={
            name.removeprefix(_QUERY_PARAMETER): value
            for name, value in parameters.items()
            if name.startswith(_QUERY_PARAMETER)
        },
        settings=settings,
        session=_session(parameters),
        wait_end=_flag(parameters, "wait_end_of_query"),
        compress=_flag(parameters, "enable_http_compression"),
        blocks_in=_flag(parameters, "decompress"),
        blocks_out=_flag(parameters, "compress"),
        protocol_version=_protocol_version(parameters.get("client_protocol_version", "0")),
        read_only=read_only or method in ("GET", "HEAD"),
        external=external,
    )


def set_statement(settings: Mapping[str, str]) -> str:
    """The SET of these settings; the engine checks names and values.

    Raises:
        QueryError: a name is not an identifier.
    """
    for name in settings:
        if not _SETTING_NAME.match(name):
            raise exceptions.refused(exceptions.BAD_ARGUMENTS, f"Setting name {name!r} is not an identifier.")
    return "SET " + ", ".join(f"{name} = {quoted(value)}" for name, value in settings.items())


def quoted(value: str) -> str:
    """A string literal of ClickHouse."""
    return "'" + value.replace("\\", "\\\\").replace("'", "\\'") + "'"


def _named(parameters: Mapping[str, str], headers: Mapping[str, str], parameter: str, header: str) -> str:
    return parameters.get(parameter) or headers.get(header, "")


def _flag(parameters: Mapping[str, str], name: str) -> bool:
    return parameters.get(name, "0").lower() in ("1", "true")


def _session(parameters: Mapping[str, str]) -> SessionRequest | None:
    if not parameters.get("session_id"):
        return None
    timeout = parameters.get("session_timeout", str(_DEFAULT_SESSION_TIMEOUT_S))
    if not timeout.isdecimal() or int(timeout) > _MAX_SESSION_TIMEOUT_S:
        raise exceptions.refused(
            exceptions.INVALID_SESSION_TIMEOUT,
            f"Session timeout {timeout!r} is not a number of seconds up to {_MAX_SESSION_TIMEOUT_S}.",
        )
    return SessionRequest(
        id=parameters["session_id"],
        timeout_s=int(timeout),
        must_exist=_flag(parameters, "session_check"),
        close=_flag(parameters, "close_session"),
    )


def _protocol_version(value: str) -> int:
    if not (value.isascii() and value.isdecimal() and len(value) <= _MAX_DIGITS):
        raise exceptions.refused(
            exceptions.BAD_ARGUMENTS, f"client_protocol_version {value[:50]!r} is not a number."
        )
    return int(value)
