"""The parameters of a request as text: parsed from a URL, and safe for log lines and headers.

Lives here: how many there may be and which characters they may hold. Must not: what a parameter means.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final
from urllib.parse import unquote_to_bytes

from clickhouse_http import exceptions

_MAX_PARAMETERS: Final = 1000
_MAX_NAME: Final = 256
#: Parameters that are repeated in log lines and headers, or kept. They must be short.
_SHORT: Final = frozenset({"query_id", "session_id", "default_format", "database", "user", "password"})
_MAX_SHORT: Final = 512
#: Text may hold line ends and tabs: statements, and values that are bound to their parameters.
_NOT_TEXT: Final = re.compile("[\x00-\x08\x0e-\x1f\x7f]")
_HEADERS: Final = ("x-clickhouse-user", "x-clickhouse-key", "x-clickhouse-database", "x-clickhouse-format")


def parse(query_string: bytes) -> dict[str, str]:
    """The parameters of a URL; where a name is there twice, the last one counts. A URL may have megabytes: parse a
    long one in a worker thread.

    Raises:
        QueryError: there are too many.
    """
    if query_string.count(b"&") >= _MAX_PARAMETERS:
        raise exceptions.refused(exceptions.BAD_ARGUMENTS, f"The URL has more than {_MAX_PARAMETERS} parameters.")
    pairs = (part.partition(b"=") for part in query_string.split(b"&") if part)
    return {_decoded(name): _decoded(value) for name, _, value in pairs}


def check(parameters: Mapping[str, str], headers: Mapping[str, str]) -> None:
    """Refuse control characters and names that are too long. ``headers`` are by lower-case name.

    Raises:
        QueryError: 36, naming the parameter or header.
    """
    for name, value in parameters.items():
        if len(name) > _MAX_NAME or not name.isprintable():
            raise _refused("The name of a parameter")
        if name == "query" or name.startswith("param_"):
            fits = not _NOT_TEXT.search(value)
        elif name in _SHORT:
            fits = len(value) <= _MAX_SHORT and value.isprintable()
        else:
            fits = value.replace("\t", "").isprintable()  # a setting may be a delimiter
        if not fits:
            raise _refused(f"The parameter {name!a}")
    for name in _HEADERS:
        value = headers.get(name, "")
        if len(value) > _MAX_SHORT or not value.isprintable():
            raise _refused(f"The header {name}")


def _decoded(escaped: bytes) -> str:
    return unquote_to_bytes(escaped.replace(b"+", b" ")).decode("utf-8", "replace")


def _refused(what: str) -> exceptions.QueryError:
    return exceptions.refused(
        exceptions.BAD_ARGUMENTS, f"{what} is too long, or has a control character or another one without a glyph."
    )
