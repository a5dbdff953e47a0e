"""What an assistant reads before it asks: the schema, what there is and is missing, what no query can tell.

Lives here: the resources, as text. Must not: the protocol (server.py).
"""

from __future__ import annotations

from importlib import resources
from typing import Any, Final

from clickhouse_connect.driver.client import Client

from firehose.assistant.asking import analyst
from firehose.errors import FirehoseError

_PAGES: Final = resources.files("firehose.assistant") / "pages"
_TABLES: Final = """
SELECT database, name, comment FROM system.tables
WHERE database IN ('firehose', 'ops') AND NOT startsWith(name, 'staging_') ORDER BY database, name"""
_COLUMNS: Final = """
SELECT name, type, comment FROM system.columns
WHERE database = {database:String} AND table = {table:String} ORDER BY position"""
_COVERED: Final = """
SELECT min(hour_start), max(hour_start), count(), countIf(seconds_missing + seconds_unaccounted > 0),
    sum(seconds_missing), sum(seconds_unaccounted)
FROM firehose.completeness"""
_LACKING: Final = """
SELECT hour_start, groupArray(toString(type)) AS types, max(seconds_missing + seconds_unaccounted) AS lost
FROM firehose.completeness WHERE seconds_missing + seconds_unaccounted > 0
GROUP BY hour_start ORDER BY hour_start DESC LIMIT 200"""
_GAPS: Final = """
SELECT start, end, toString(type), toString(reason) FROM ops.gaps
WHERE filled = '' ORDER BY start DESC LIMIT 100"""


def page(name: str) -> str:
    """A page of the documentation."""
    return (_PAGES / f"{name}.md").read_text(encoding="utf-8")


def schema() -> str:
    """Every view and table, a line each."""
    with analyst() as client:
        rows = client.query(_TABLES).result_rows
    lines = [f"- {database}.{name}: {comment}" for database, name, comment in rows]
    return "\n".join(
        [
            "# Views and tables",
            "All times are UTC. A condition on date or hour_start decides which hour files are opened: always give"
            " one for the views named after record types and for firehose.events. The columns of each are in the"
            " resource firehose://schema/DATABASE/NAME.",
            *lines,
        ]
    )


def columns(database: str, table: str) -> str:
    """The columns of a view or table.

    Raises:
        FirehoseError: there is none of this name.
    """
    with analyst() as client:
        rows = client.query(_COLUMNS, parameters={"database": database, "table": table}).result_rows
    if not rows:
        raise FirehoseError(f"there is no {database}.{table}: firehose://schema lists what there is")
    return "\n".join([f"# {database}.{table}", *(f"- {name} {kind}: {comment}" for name, kind, comment in rows)])


def coverage() -> str:
    """Which hours there are, and what is missing of them."""
    with analyst() as client:
        ((first, last, rows, lacking, missing, unaccounted),) = _asked(client, _COVERED)
        if not rows:
            return "# Coverage\nNo batch is loaded yet: there is nothing to ask about."
        lines = [
            f"- {hour:%Y-%m-%d %H:00}: {lost:.0f} s of {', '.join(types)}"
            for hour, types, lost in _asked(client, _LACKING)
        ]
        gaps = [
            f"- {start} to {end}, {name or 'all types'}: {reason}"
            for start, end, name, reason in _asked(client, _GAPS)
        ]
    return "\n".join(
        [
            "# Coverage",
            f"Hours from {first:%Y-%m-%d %H:00} to {last:%Y-%m-%d %H:00} UTC. Of {rows} hours of a type, {lacking}"
            f" lack something: {missing:.0f} s in open gaps, {unaccounted:.0f} s of which nothing is known. The"
            " view firehose.completeness has each.",
            "## Hours that lack something, the latest 200",
            *(lines or ["- none"]),
            "## Open gaps, the latest 100",
            *(gaps or ["- none"]),
        ]
    )


def _asked(client: Client, sql: str) -> Any:
    return client.query(sql, tz_mode="aware").result_rows
