"""What a client is told when a limit has stopped its query: the limit's setting, and what to do.

Lives here: one sentence for each limit, found by the exception's code and, where one code has several limits, its
text. Must not: enforce limits, change the exception's own text.
"""

from __future__ import annotations

import re
from typing import Final, NamedTuple

from clickhouse_http import exceptions
from clickhouse_http.config import EndpointConfig
from clickhouse_http.exceptions import QueryError
from clickhouse_http.rights.limits import MAX_QUERY
from clickhouse_http.rights.users import ANALYST, LOADER
from clickhouse_http.sessions.admission import SLOTS


class _Advice(NamedTuple):
    codes: tuple[int, ...]
    text: str  # a pattern of the exception's text; empty: any
    sentence: str


#: The first that fits counts. In braces: fields of the configuration under the names that its users know, what
#: makes a query smaller (``smaller``), and numbers of this package.
_ADVICE: Final = (
    _Advice(
        (exceptions.MEMORY_LIMIT_EXCEEDED,),
        r"leave -?\d+ MiB",
        "The limit is {total_memory_mib}: wait until other queries have ended, or name a smaller need in the URL"
        " (max_memory_usage=...).",
    ),
    _Advice(
        (exceptions.MEMORY_LIMIT_EXCEEDED,),
        "temporary tables of a session",
        "The limit is a part of {total_memory_mib}: keep fewer rows or columns, or drop tables.",
    ),
    _Advice(
        (exceptions.MEMORY_LIMIT_EXCEEDED,),
        "",
        "The limit is max_memory_usage: {smaller}; or name the memory that the query needs in the URL"
        " (max_memory_usage=..., in bytes), up to {query_memory_mib}, which the operator can raise.",
    ),
    _Advice(
        (exceptions.TIMEOUT_EXCEEDED, exceptions.TOO_SLOW),
        "",
        "The limit is max_execution_time: {smaller}, or ask the operator to raise {query_seconds}.",
    ),
    _Advice(
        (exceptions.TOO_MANY_ROWS_OR_BYTES,),
        "temporary files",
        "The limit is max_temporary_data_on_disk_size_for_query: {smaller}, or ask the operator to raise it in the"
        " profile of the user.",
    ),
    _Advice(
        (exceptions.TOO_MANY_ROWS_OR_BYTES,),
        "",
        "The limit is max_result_rows or max_result_bytes, which this query or its client has set: add a LIMIT, or"
        " raise it.",
    ),
    _Advice(
        (exceptions.TOO_MANY_ROWS, exceptions.TOO_MANY_BYTES, exceptions.SET_SIZE_LIMIT_EXCEEDED),
        "",
        "The limit is a setting of this query or its client, such as max_rows_to_read, max_rows_to_group_by or"
        " max_rows_in_join: raise it, or {smaller}.",
    ),
    _Advice(
        (exceptions.SYNTAX_ERROR, exceptions.QUERY_IS_TOO_LARGE),
        r"[Mm]ax query size exceeded|The query has \d+ bytes",
        "The limit is max_query_size, which is {max_query} bytes for everybody: send a long list as external data"
        " or in a temporary table, and join it.",
    ),
    _Advice(
        (exceptions.QUERY_IS_TOO_LARGE,),
        "",
        "The limit is {max_body_mib} for the loader, and less for others: send the data in several requests.",
    ),
    _Advice(
        (exceptions.TOO_DEEP_AST, exceptions.TOO_BIG_AST, exceptions.TOO_DEEP_RECURSION),
        "",
        "The limit is max_ast_elements, max_ast_depth or max_parser_depth, and the same for everybody: send a long"
        " list as external data or in a temporary table and join it, and name inner queries in a WITH.",
    ),
    _Advice(
        (exceptions.TOO_MANY_SIMULTANEOUS_QUERIES,),
        "",
        "The limit is {slots} queries of all analysts at once, and {loader_slots} of the loader: run fewer side by"
        " side, and send this one again when others have ended.",
    ),
    _Advice(
        (exceptions.READONLY,),
        "",
        "The limit is readonly: keep rows of your own in a temporary table of a session, by POST; only the loader"
        " changes tables.",
    ),
    _Advice(
        (exceptions.SETTING_CONSTRAINT_VIOLATION,),
        "",
        "The limit is the range of this setting in the profile of the user: leave the setting out or name a value"
        " within it, or ask the operator to allow it there.",
    ),
    _Advice(
        (exceptions.QUERY_WAS_CANCELLED,),
        "",
        "No limit was met: the client, the operator or the end of the server has stopped it; send it again.",
    ),
)


class Advisor:
    """Finds the sentence for an exception, in the words of the operator of ``config``."""

    def __init__(self, config: EndpointConfig) -> None:
        words = {
            **{field: config.called(field) for field in ("total_memory_mib", "query_memory_mib", "query_seconds")},
            "max_body_mib": config.called("max_body_mib"),
            "smaller": config.smaller,
            "max_query": str(MAX_QUERY),
            "slots": str(SLOTS[ANALYST]),
            "loader_slots": str(SLOTS[LOADER]),
        }
        self._advice = [(each.codes, re.compile(each.text), each.sentence.format_map(words)) for each in _ADVICE]

    def sentence(self, error: QueryError) -> str:
        """What to do about ``error``; empty where no limit has caused it."""
        for codes, text, sentence in self._advice:
            if error.code in codes and text.search(error.text):
                return sentence
        return ""
