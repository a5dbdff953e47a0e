"""The codes of ClickHouse that a user of this project meets most, by number and name.

The embedded endpoint adds a sentence of its own to a limit's error; here is the same for a server's. Must not:
be complete: ClickHouse has some seven hundred.
"""

from __future__ import annotations

from typing import Final

from firehose_cli.explanations.entry import Entry, Kind

_ENDPOINT: Final = "docs/endpoint.md"
_CODES: Final[tuple[tuple[int, str, str, str], ...]] = (
    (36, "BAD_ARGUMENTS", "An argument or a setting has a value that it cannot have.", "see the name in the text"),
    (47, "UNKNOWN_IDENTIFIER", "There is no such column.", "DESCRIBE the table; docs/schema.md has all columns"),
    (60, "UNKNOWN_TABLE", "There is no such table.", "`firehose migrate`, if it is one of docs/schema.md"),
    (62, "SYNTAX_ERROR", "The statement cannot be parsed.", "see the position that the text names"),
    (81, "UNKNOWN_DATABASE", "There is no such database.", "`firehose migrate` makes `firehose` and `ops`"),
    (107, "FILE_DOESNT_EXIST", "A file of the lake was replaced while it was read.", "send the query again"),
    (
        158,
        "TOO_MANY_ROWS",
        "A limit of rows, set by the query or its client, is met.",
        "raise it, or ask for less",
    ),
    (159, "TIMEOUT_EXCEEDED", "The query took longer than max_execution_time.", "bound it by hour or day"),
    (164, "READONLY", "The analyst may not write.", "a temporary table of a session, by POST, may hold your rows"),
    (
        192,
        "UNKNOWN_USER",
        "There is no such user.",
        "see FIREHOSE_CLICKHOUSE_LOADER and FIREHOSE_CLICKHOUSE_ANALYST",
    ),
    (
        202,
        "TOO_MANY_SIMULTANEOUS_QUERIES",
        "Too many queries run at once.",
        "send it again when others have ended",
    ),
    (241, "MEMORY_LIMIT_EXCEEDED", "The query needs more memory than it may have.", "bound it by hour or type"),
    (
        243,
        "NOT_ENOUGH_SPACE",
        "The disk for large results and bodies is full.",
        "make room; FIREHOSE_HTTP_SPOOL_MIB",
    ),
    (373, "SESSION_IS_LOCKED", "Another query of the same session runs.", "one query at a time in a session"),
    (394, "QUERY_WAS_CANCELLED", "The client, an operator or the end of the server stopped it.", "send it again"),
    (
        396,
        "TOO_MANY_ROWS_OR_BYTES",
        "The result, or its files on disk, are too large.",
        "add a LIMIT, or ask for less",
    ),
    (452, "SETTING_CONSTRAINT_VIOLATION", "The user may not set that, or not so high.", "leave the setting out"),
    (
        497,
        "ACCESS_DENIED",
        "The user has no right to that.",
        "as the analyst: only reading; as the loader: users.xml",
    ),
    (
        516,
        "AUTHENTICATION_FAILED",
        "User or password is wrong.",
        "see the passwords in the settings of this machine",
    ),
)


def entries() -> tuple[Entry, ...]:
    """One for each code; its name is the number."""
    return tuple(
        Entry(str(number), Kind.CLICKHOUSE, f"{name}: {means}", (), todo, _ENDPOINT)
        for number, name, means, todo in _CODES
    )
