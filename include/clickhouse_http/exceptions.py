"""ClickHouse's exceptions as they travel over HTTP: a code, a name, a text and an HTTP status.

Lives here: reading the engine's messages, and making the endpoint's own exceptions. Must not: I/O, the
endpoint's failures to start (errors).
"""

from __future__ import annotations

import re
from typing import Final

CANNOT_READ_ALL_DATA: Final = 33
BAD_ARGUMENTS: Final = 36
TOO_LARGE_SIZE_COMPRESSED: Final = 39
CHECKSUM_DOESNT_MATCH: Final = 40
NOT_IMPLEMENTED: Final = 48
SYNTAX_ERROR: Final = 62
CANNOT_DECOMPRESS: Final = 271
UNKNOWN_DATABASE: Final = 81
UNKNOWN_SETTING: Final = 115
TOO_MANY_ROWS: Final = 158
TIMEOUT_EXCEEDED: Final = 159
TOO_SLOW: Final = 160
READONLY: Final = 164
TOO_DEEP_AST: Final = 167
TOO_BIG_AST: Final = 168
SET_SIZE_LIMIT_EXCEEDED: Final = 191
UNKNOWN_USER: Final = 192
REQUIRED_PASSWORD: Final = 194
TOO_MANY_SIMULTANEOUS_QUERIES: Final = 202
SOCKET_TIMEOUT: Final = 209
QUERY_IS_TOO_LARGE: Final = 229
MEMORY_LIMIT_EXCEEDED: Final = 241
NOT_ENOUGH_SPACE: Final = 243
LIMIT_EXCEEDED: Final = 290
TOO_DEEP_RECURSION: Final = 306
TOO_MANY_BYTES: Final = 307
INTO_OUTFILE_NOT_ALLOWED: Final = 358
SESSION_NOT_FOUND: Final = 372
SESSION_IS_LOCKED: Final = 373
INVALID_SESSION_TIMEOUT: Final = 374
QUERY_WAS_CANCELLED: Final = 394
TOO_MANY_ROWS_OR_BYTES: Final = 396
UNKNOWN_CODEC: Final = 432
FUNCTION_NOT_ALLOWED: Final = 446
SETTING_CONSTRAINT_VIOLATION: Final = 452
ACCESS_DENIED: Final = 497
AUTHENTICATION_FAILED: Final = 516
USER_SESSION_LIMIT_EXCEEDED: Final = 700

_NAMES: Final = {value: name for name, value in list(globals().items()) if isinstance(value, int)}
_UNKNOWN: Final = 1002

# As ClickHouse's HTTP handler maps them; every other code is 500.
_STATUS: Final = {
    REQUIRED_PASSWORD: 401,
    # The login: unknown user, wrong password, failed authentication, roles that were not granted.
    **dict.fromkeys((UNKNOWN_USER, 193, AUTHENTICATION_FAILED, 512), 403),
    # Text that does not parse, or does not fit its type.
    **dict.fromkeys((6, 25, 26, 27, BAD_ARGUMENTS, 37, 38, 41, 53, SYNTAX_ERROR, 72, 117, 123), 400),
    **dict.fromkeys((TOO_DEEP_AST, TOO_BIG_AST, 223, 321, 376, 427, 441, 456, 457, 675, 676), 400),
    # Names that do not exist: functions, columns, types, tables, formats, databases, settings, roles.
    **dict.fromkeys((46, 47, 50, 56, 60, 63, 73, 78, 81, 115, 152, 336, 511), 404),
    **dict.fromkeys((TIMEOUT_EXCEEDED, SOCKET_TIMEOUT), 408),
    **dict.fromkeys((TOO_LARGE_SIZE_COMPRESSED, QUERY_IS_TOO_LARGE), 413),
    NOT_IMPLEMENTED: 501,
    **dict.fromkeys((76, 439), 503),
}
_CODE = re.compile(r"\bCode: (\d+)\.")
_EXPLAIN_PREFIX: Final = "EXPLAIN AST "


class QueryError(Exception):
    """An exception of ClickHouse, on its way to the client."""

    def __init__(self, code: int, text: str) -> None:
        super().__init__(text)
        self.code = code
        self.text = text

    @property
    def status(self) -> int:
        """The HTTP status that ClickHouse gives for this code."""
        return _STATUS.get(self.code, 500)

    def body(self, version: str, advice: str) -> str:
        """The text for the client, in ClickHouse's form; ``advice`` follows it where there is any."""
        ending = "" if self.text.endswith(f"(version {version})") else f" (version {version})"
        return f"{self.text}{ending}{advice and ' '}{advice}\n"


def refused(code: int, message: str) -> QueryError:
    """An exception that the endpoint raises itself, in ClickHouse's form."""
    return QueryError(code, f"Code: {code}. DB::Exception: {message} ({_NAMES[code]})")


def from_engine(error: RuntimeError) -> QueryError:
    """The engine's message with its code. Some of chDB's own checks have none: they get 1002."""
    text = str(error).strip()
    found = _CODE.search(text)
    if found is None:
        return QueryError(_UNKNOWN, f"Code: {_UNKNOWN}. DB::Exception: {text} (UNKNOWN_EXCEPTION)")
    return QueryError(int(found[1]), text[found.start() :])


def without_explain(error: QueryError) -> QueryError:
    """The same error with positions counted in the client's text, not in ``EXPLAIN AST <text>``."""
    text = re.sub(
        r"(failed at position )(\d+)", lambda m: f"{m[1]}{int(m[2]) - len(_EXPLAIN_PREFIX)}", error.text, count=1
    )
    return QueryError(error.code, text)
