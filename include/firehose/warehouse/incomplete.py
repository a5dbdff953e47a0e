"""Tells the reader of an answer what is missing of the hours that the query has read.

Lives here: asking the engine what a statement reads, and ``firehose.completeness`` about it; the words.
Must not: fail.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any, Final

from clickhouse_connect.driver.client import Client

from firehose import schema
from firehose.errors import FirehoseError
from firehose.warehouse.client import clickhouse_errors
from firehose.warehouse.reads import Read, reads, types_of

#: The engine computes scalar subqueries when it analyses a statement: seconds that are waited for it.
_ANALYSIS: Final = {"max_execution_time": 1}
_SYNTAX_ERROR: Final = "Code 62:"
#: What is asked first: open gaps, and times between live batches that are in no filled gap of all types.
_ANY_LOSS: Final = """
WITH (SELECT groupArray((start, end)) FROM ops.gaps WHERE filled != '' AND type = '') AS filled
SELECT (SELECT count() FROM ops.gaps WHERE filled = '') + count()
FROM
(
    SELECT start, max(end) OVER (ORDER BY start, end ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING) AS before
    FROM ops.batches FINAL
    WHERE empty(hours) OR arrayExists(h -> h + 7200 > start AND h < end + 3600, hours)
)
WHERE before > 0 AND start > before AND NOT arrayExists(gap -> gap.1 <= before AND gap.2 >= start, filled)
"""
_LOST: Final = """
SELECT min(first), max(last), groupArray(toString(type)), max(lost)
FROM
(
    SELECT type, min(hour_start) AS first, max(hour_start) + 3600 AS last,
        sum(seconds_missing + seconds_unaccounted) AS lost
    FROM firehose.completeness
    WHERE (seconds_missing > 0 OR seconds_unaccounted > 0) AND ({where})
    GROUP BY type
)
"""
_SEE: Final = "firehose query 'SELECT * FROM completeness WHERE share < 1' shows the hours"


def warning(client: Client, statement: str, parameters: Mapping[str, Any] | None = None) -> str:
    """One line that says what time, and of which types, is missing of what the statement reads; empty: none.

    Where conditions of the statement are not understood, the line may tell of hours that it does not read.
    """
    if not may_lack(client):
        return ""
    try:
        with clickhouse_errors():
            found = [read for read in _reads(client, statement, parameters) if types_of(read.table)]
            return _said(client, found) if found else ""
    except FirehoseError as error:
        return f"warning: whether events are missing in this answer is not known: {error}"


def may_lack(client: Client) -> bool:
    """Tell whether the lake may lack something at all. If it does not, no statement need be looked at."""
    try:
        with clickhouse_errors():
            return bool(client.command(_ANY_LOSS))
    except FirehoseError:  # what is wrong is said if the statement reads events
        return True


def _reads(client: Client, statement: str, parameters: Mapping[str, Any] | None) -> list[Read]:
    asked = f"EXPLAIN QUERY TREE {statement.rstrip().rstrip(';')}"
    try:
        with clickhouse_errors():
            tree = client.raw_query(asked, parameters=dict(parameters or {}), settings=_ANALYSIS, fmt="TSVRaw")
    except FirehoseError as error:
        # The statement has run. So it is not a SELECT, but SHOW, DESCRIBE, …
        if _SYNTAX_ERROR in str(error):
            return []
        raise
    return reads(tree.decode(errors="replace"))


def _said(client: Client, found: list[Read]) -> str:
    where = " OR ".join(f"({_condition(read)})" for read in {*found})
    ((first, last, types, seconds),) = client.query(_LOST.format(where=where), tz_mode="aware").result_rows
    if not types:
        return ""
    of = "all types" if len(types) == len(schema.EVENT_TYPES) else ", ".join(sorted(types))
    span = f"from {minute(first)} to {minute(last)} UTC"
    of_all = "" if all(map(_has_span, found)) else ", counted over all hours where the query names no span"
    return f"warning: events are missing in this answer: up to {length(seconds)} of {of}, {span}{of_all}; {_SEE}"


def _has_span(read: Read) -> bool:
    return any("hour_start" in each or "date" in each for each in read.conditions)


def _condition(read: Read) -> str:
    types = ", ".join(f"'{name}'" for name in sorted(types_of(read.table)))
    return " AND ".join([f"type IN ({types})", *(f"({each})" for each in read.conditions)])


def minute(moment: datetime) -> str:
    return f"{moment:%Y-%m-%d %H:%M}"


def length(seconds: float) -> str:
    return f"{seconds:.3g} s" if seconds < 60 else f"{timedelta(seconds=round(seconds))} (h:mm:ss)"
