"""The views over the lake's Parquet files, generated from the schema and the lake's root.

Lives here: SQL text, as pure functions. Must not: connections.
"""

from __future__ import annotations

import hashlib
from typing import Final, NamedTuple

from firehose import schema
from firehose.errors import FirehoseError
from firehose.warehouse.columns import EVENTS, PARTITION, Column, file_columns, view_columns
from ingester import checks

DATABASE: Final = "firehose"
_HOURS: Final = "year=*/month=*/day=*/hour=*"
#: The layouts of an hour. Each is a glob of its own: braces around a slash match nothing in file().
LAYOUTS: Final = ("{hours}/{type}.parquet", "{hours}/{type}/user_did=*/{type}.parquet")


class View(NamedTuple):
    """A view's name in the database ``firehose`` and the statement that creates or replaces it."""

    name: str
    statement: str
    comment: str


def views(lake_root: str) -> list[View]:
    """All views over the lake at ``lake_root`` (a path, or ``s3://…``, as ClickHouse sees it), in order.

    Raises:
        FirehoseError: the root has what ClickHouse would not read as itself.
    """
    if wrong := checks.lake_root(lake_root):
        raise FirehoseError(f"the lake's root {lake_root!r} {wrong}")
    made = []
    for name in schema.TYPES:
        columns = view_columns(name)
        made.append(_view(name, columns, _type_select(name, lake_root, columns)))
    # Not over the views above: planning a query over nested views takes several times as long.
    selects = (_type_select(name, lake_root, _events_columns(name)) for name in schema.TYPES)
    return [*made, _view("events", list(EVENTS), "\nUNION ALL\n".join(selects))]


def source(record_type: str, lake_root: str, layout: str) -> str:
    """The table function that reads one layout of a record type, with an explicit structure.

    An explicit structure makes an empty lake an empty table, and spares opening a file to infer it.
    """
    path = f"{lake_root.rstrip('/')}/{layout.format(hours=_HOURS, type=record_type)}"
    function = "s3" if lake_root.startswith("s3://") else "file"
    structure = ", ".join(f"{c.name} {c.type}" for c in (*file_columns(record_type), *PARTITION))
    return f"{function}({quoted(path)}, 'Parquet', {quoted(structure)})"


def quoted(text: str) -> str:
    """``text`` as a string literal of ClickHouse."""
    return "'" + text.replace("\\", "\\\\").replace("'", "\\'") + "'"


def _view(name: str, columns: list[Column], select: str) -> View:
    what = "all events" if name == "events" else name
    # The mark lets a later run see whether the view is still the one that it would make.
    mark = hashlib.sha256(f"{columns}{select}".encode()).hexdigest()[:12]
    comment = f"One row an event: {what} in the Parquet files of the lake (definition {mark})"
    declared = ",\n".join(f"    `{c.name}` {c.type} COMMENT {quoted(c.comment)}" for c in columns)
    # DEFINER: analysts need no right to read files, only to select from the view.
    statement = (
        f"CREATE OR REPLACE VIEW {DATABASE}.{name}\n(\n{declared}\n)\n"
        f"DEFINER = CURRENT_USER SQL SECURITY DEFINER\n"
        f"AS {select}\nCOMMENT {quoted(comment)}"
    )
    return View(name, statement, comment)


def _type_select(record_type: str, lake_root: str, columns: list[Column]) -> str:
    stored = ", ".join(c.name for c in (*file_columns(record_type), *PARTITION))
    branches = "\nUNION ALL\n".join(
        f"SELECT {stored} FROM {source(record_type, lake_root, layout)}" for layout in LAYOUTS
    )
    return f"SELECT {_select_list(columns)} FROM\n(\n{branches}\n)"


def _events_columns(record_type: str) -> list[Column]:
    """The columns of the view of all events, as one record type gives them."""
    given = {c.name: c.expression for c in view_columns(record_type)}
    given["type"] = quoted(record_type)
    if record_type in schema.COLLECTIONS:
        given["collection"] = quoted(schema.COLLECTIONS[record_type])
    return [c._replace(expression=given.get(c.name, c.expression)) for c in EVENTS]


def _select_list(columns: list[Column]) -> str:
    return ", ".join(f"{c.expression} AS {c.name}" if c.expression else c.name for c in columns)
