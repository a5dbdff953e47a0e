"""The SELECTs of the views over the lake's files: rows of a type, including those in the catch-all's files.

Lives here: SQL text, as pure functions. Must not: list the views (views.py), connections.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Final

from firehose import schema
from firehose.records.base import RecordType
from firehose.records.columns import ViewColumn as Column
from firehose.records.registry import REGISTRY, catch_all, shares_queue
from firehose.warehouse import older, plain
from firehose.warehouse.columns import EVENTS, OF_ALL, PARTITION, file_columns

_HOURS: Final = "year=*/month=*/day=*/hour=*"
#: The files of an hour that is flat, and of one that is by user: of all others, and of one account each. Each has
#: its own glob: in file(), braces around a slash match nothing.
FLAT: Final = "{hours}/{type}.parquet"
OTHERS: Final = "{hours}/{type}/user_did=other/{type}.parquet"
OF_ONE: Final = "{hours}/{type}/user_did=did:*/{type}.parquet"
_ACCOUNT: Final = "did"
_ACCOUNT_OF_PATH: Final = "user_did"


def source(record_type: str, lake_root: str, layout: str, cluster: str = "") -> str:
    """The table function that reads one layout of a record type, with an explicit structure.

    With an explicit structure an empty lake is an empty table, and no file is opened to infer it.
    """
    columns = {c.name: c.type for c in (*plain.stored_columns(record_type), *PARTITION)}
    if layout == OF_ONE:
        columns[_ACCOUNT_OF_PATH] = columns.pop(_ACCOUNT)
    structure = ", ".join(f"{name} {kind}" for name, kind in columns.items())
    return table_function(lake_root, layout.format(hours=_HOURS, type=record_type), structure, cluster)


def table_function(lake_root: str, pattern: str, structure: str, cluster: str = "") -> str:
    """The table function that reads the files that match ``pattern`` below the lake's root.

    Files in a bucket are divided among the servers of ``cluster``; those of a folder are read by the one that is
    asked.
    """
    arguments = [f"{lake_root.rstrip('/')}/{pattern}", "Parquet", structure]
    if "://" not in lake_root:
        function = "file"
    elif cluster:
        function, arguments = "s3Cluster", [cluster, *arguments]
    else:
        function = "s3"  # without a login: the server has one of its own
    return f"{function}({', '.join(map(quoted, arguments))})"


def type_select(
    record_type: str, lake_root: str, columns: list[Column], *, and_older: bool = True, cluster: str = ""
) -> str:
    """A SELECT with a row for each event of a type.

    ``and_older``: with the rows of the type that are in files of the catch-all, and without those of other types.
    """
    names = _asked(columns, [c.name for c in file_columns(record_type)])
    selected = _selected(names, plain.columns(record_type, "files"))
    branches = [f"SELECT {selected} FROM {_files(record_type, lake_root, cluster)} AS files"]
    if and_older and (last := catch_all(record_type)) is not None:
        selected = _selected(names, plain.columns(last.name, "older") | older.columns(record_type, "older"))
        branches.append(
            f"SELECT {selected} FROM {_files(last.name, lake_root, cluster)} AS older"
            f" WHERE older.collection IN ({_collections([REGISTRY[record_type]])})"
        )
    union = "\nUNION ALL\n".join(branches)
    others = shares_queue(record_type) if and_older else ()
    condition = f"\nWHERE stored.collection NOT IN ({_collections(others)})" if others else ""
    return f"SELECT {select_list(columns)} FROM\n(\n{union}\n) AS stored{condition}"


def _files(record_type: str, lake_root: str, cluster: str) -> str:
    """The rows of a type's files as they are stored, in any layout.

    Files of one account give it from their path, so that a condition on it decides which of them are opened.
    """
    names = [c.name for c in (*PARTITION, *plain.stored_columns(record_type))]
    of_one = [f"{_ACCOUNT_OF_PATH} AS {_ACCOUNT}" if name == _ACCOUNT else name for name in names]
    selected = {FLAT: names}
    if REGISTRY[record_type].by_user:
        selected |= {OTHERS: names, OF_ONE: of_one}
    layouts = (
        f"SELECT {', '.join(listed)} FROM {source(record_type, lake_root, layout, cluster)}"
        for layout, listed in selected.items()
    )
    return f"({' UNION ALL '.join(layouts)})"


def _asked(columns: list[Column], names: list[str]) -> list[str]:
    """Those of a file's columns that these are made of: the engine analyses every column that is written out."""
    words = set(re.findall(r"\w+", select_list(columns)))
    return [name for name in names if name in words]


def _selected(names: Iterable[str], given: dict[str, str]) -> str:
    # Of a subquery that is asked for no column the engine reads the first: those of the path cost nothing.
    return ", ".join([*(column.name for column in PARTITION), *(f"{given[name]} AS {name}" for name in names)])


def _collections(types: Iterable[RecordType]) -> str:
    return ", ".join(quoted(collection) for of in types for collection in of.collections)


def events_select(lake_root: str, cluster: str = "") -> str:
    """A SELECT with a row for each event of the lake.

    Not over the types' views: a query over nested views takes several times as long to plan.
    """
    of_types = (
        type_select(name, lake_root, _events_columns(name), and_older=False, cluster=cluster)
        for name in schema.EVENT_TYPES
    )
    union = "\nUNION ALL\n".join(of_types)
    return f"SELECT {select_list([*EVENTS])} FROM\n(\n{union}\n) AS stored"


def _events_columns(record_type: str) -> list[Column]:
    """What the view of all events is made of, as the files of one record type give it.

    Files of the catch-all are read once for all types that may have older rows there.
    """
    given = dict.fromkeys((c.name for c in (*file_columns(record_type), *PARTITION)), "")
    given["type"] = given["stored_as"] = quoted(record_type)
    if record_type in schema.COLLECTIONS:
        given["collection"] = quoted(schema.COLLECTIONS[record_type])
    elif "collection" in given:
        given["collection"] = "stored.collection"
    if others := shares_queue(record_type):
        kinds = ", ".join(f"stored.collection = {quoted(of.collection)}, {quoted(of.name)}" for of in others)
        given["type"] = f"multiIf({kinds}, {quoted(record_type)})"
        # In the array's brackets, as a whole record is stored: the view takes them off.
        rests = ", ".join(
            f"stored.collection = {quoted(of.collection)}, concat('[', {older.shown_extra(of, 'stored')}, ']')"
            for of in others
        )
        given["extra"] = f"multiIf({rests}, stored.extra)"
    columns = [c._replace(expression=given.get(c.name, c.expression)) for c in OF_ALL]
    return [
        c._replace(expression=f"toLowCardinality({c.expression})") if c.type.startswith("Low") else c
        for c in columns
    ]


def select_list(columns: list[Column]) -> str:
    """The columns of a SELECT, each as its expression says or as the file has it."""
    return ", ".join(f"{c.expression} AS {c.name}" if c.expression else c.name for c in columns)


def quoted(text: str) -> str:
    """``text`` as a string literal of ClickHouse."""
    return "'" + text.replace("\\", "\\\\").replace("'", "\\'") + "'"
