"""Tries every setting, function, table function, format, table engine and system table of the engine in use.

``python -m tests.security.analyst.sweep ROLE GROUP FOLDER TREE FIRST`` runs the cases of a group from number FIRST
on, each on a new connection, in this process, without the sandbox and the endpoint's look at the syntax tree: the
engine's rights alone. It writes each case's number to FOLDER/at before it begins, so that the parent knows
which one ended the process, and prints a line of JSON for each that changed a file or brought a canary out.
"""

from __future__ import annotations

import json
import os
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

from clickhouse_http.engine.connection import Connection
from clickhouse_http.engine.engine import Engine
from clickhouse_http.exceptions import QueryError
from clickhouse_http.rights import policy
from clickhouse_http.rights.limits import Limits
from devstack.embedded.clickhouse import USERS_XML
from tests.security.analyst.canaries import MARK, MESSAGE, Tree, view

#: Table functions that only the check of the syntax tree refuses in time; see clickhouse_http.rights.analyst.
BY_TREE_ONLY = frozenset({"sqlite"})
_OUT = ("Protobuf", "ProtobufList", "CapnProto", "Template", "CSV", "JSONEachRow", "Parquet", "Avro", "SQLInsert")
_IN = ("Protobuf", "CapnProto", "Template", "CSV", "JSONEachRow", "Regexp")

_AT_ONCE = 10
#: Statements for one connection.
Case = list[str]


def settings(engine: Connection, tree: Tree) -> Iterator[Case]:
    """Each setting on statements that read the lake, and write and read formats; as clause, deep, and by SET."""
    for name, kind in _rows(engine, "SELECT name, type FROM system.settings ORDER BY name"):
        if kind not in _TEXTS:
            deep = f"SELECT * FROM (SELECT * FROM firehose.likes SETTINGS {name} = 1)"
            yield [deep, f"SET {name} = 1", "SELECT max(did) FROM firehose.likes", "SELECT 1 AS a FORMAT Protobuf"]
    yield from text_settings(engine, tree)


_TEXTS = ("String", "URI")


def text_settings(engine: Connection, tree: Tree) -> Iterator[Case]:
    """Those settings that can hold a path."""
    values = (f"{tree.cwd}/canary.proto:{MESSAGE}", f"{tree.cwd}/made", "moved_%f")
    for name, kind in _rows(engine, "SELECT name, type FROM system.settings ORDER BY name"):
        for value in values if kind in _TEXTS else ():
            yield list(_with_text(f"{name} = '{value}'"))


def _with_text(setting: str) -> Iterator[str]:
    clause = f"SETTINGS {setting}"
    yield f"SELECT count(), max(did) FROM firehose.likes {clause}"
    yield f"SELECT * FROM (SELECT * FROM firehose.likes {clause})"
    yield from (f"SELECT 1 AS a, 'b' AS b FORMAT {each} {clause}" for each in _OUT)
    for each in _IN:
        yield f"SELECT * FROM format({each}, 'a String, b UInt8', 'a,b\\nc,d\\n') {clause}"
    yield f"SET {setting}"
    yield "SELECT count(), max(did) FROM firehose.likes"
    yield "SELECT 1 AS a FORMAT Protobuf"


def merge_tree_settings(engine: Connection, tree: Tree) -> Iterator[Case]:
    """The settings of a table, on the only tables that an analyst may make, and on one that it may not."""
    for (name,) in _rows(engine, "SELECT name FROM system.merge_tree_settings ORDER BY name"):
        value = f"{name} = '{tree.cwd}/made'"
        yield [
            f"CREATE TEMPORARY TABLE a (a UInt8) ENGINE = MergeTree ORDER BY a SETTINGS {value}",
            f"CREATE TEMPORARY TABLE b (a UInt8) ENGINE = Memory SETTINGS {value}",
            f"SELECT 1 SETTINGS merge_tree_{value}",
        ]


def functions(engine: Connection, tree: Tree) -> Iterator[Case]:
    """Each function with a path where it may take one."""
    there, relative, new = f"'{tree.cwd}/canary'", "'canary.csv'", f"'{tree.cwd}/made'"
    shapes = (f"{there}", f"materialize({relative})", f"{there}, 'a', 1", f"'a', {new}")
    names = _rows(engine, "SELECT name FROM system.functions WHERE NOT is_aggregate ORDER BY name")
    for start in range(0, len(names), _AT_ONCE):
        some = names[start : start + _AT_ONCE]
        yield [f"SELECT `{name}`({arguments})" for (name,) in some for arguments in shapes]


def table_functions(engine: Connection, tree: Tree) -> Iterator[Case]:
    """Each table function with a path, a table, a table of ``system``, and a server."""
    there, new, relative = f"'{tree.cwd}/canary.csv'", f"'{tree.cwd}/made'", "'canary.csv'"
    shapes = (
        *(there, f"{there}, 'LineAsString'", relative, f"{relative}, 'CSV', 'a String, b String'"),
        *(new, f"{new}, 't'", f"'{tree.cwd}'", f"'{tree.cwd}/canary'", "firehose, likes", "system, errors"),
        *("system.errors", "'system', 'errors|processes'", "'id', 'TSV', 'a String'"),
        *("'127.0.0.1:1', 'd', 't', 'u', 'p'", "'http://127.0.0.1:1/b/k', 'CSV', 'a String'"),
        f"'file://{tree.cwd}/canary.csv', 'CSV', 'a String'",
    )
    for (name,) in _rows(engine, "SELECT name FROM system.table_functions ORDER BY name"):
        if name not in BY_TREE_ONLY:
            calls = [f"SELECT * FROM `{name}`({arguments}) LIMIT 100" for arguments in shapes]
            yield [*calls, f"DESCRIBE TABLE `{name}`({there})"]


def formats(engine: Connection, tree: Tree) -> Iterator[Case]:
    """Each format, written and read, with a path for its data."""
    paths = f"'{tree.cwd}/canary.csv' AS a, 'canary.proto:{MESSAGE}' AS `{tree.cwd}/made`"
    for (name,) in _rows(engine, "SELECT name FROM system.formats ORDER BY name"):
        yield [
            f"SELECT {paths} FORMAT {name}",
            f"SELECT did FROM firehose.likes FORMAT {name}",
            f"SELECT * FROM format({name}, '{tree.cwd}/canary.csv')",
            f"SELECT * FROM format({name}, 'a String', 'canary.csv')",
        ]


def engines(engine: Connection, tree: Tree) -> Iterator[Case]:
    """Each table engine for a temporary table (no other may be made), and each database engine."""
    there, new = f"'{tree.cwd}/canary.csv'", f"'{tree.cwd}/made'"
    shapes = ("", "()", "(CSV)", f"(CSV, {there})", f"({there}, 'CSV')", f"({new}, 't')", "(system, errors)")
    for (name,) in _rows(engine, "SELECT name FROM system.table_engines ORDER BY name"):
        for arguments in shapes:
            yield [f"CREATE TEMPORARY TABLE x (a String) ENGINE = {name}{arguments}", "SELECT * FROM x"]
    for (name,) in _rows(engine, "SELECT name FROM system.database_engines ORDER BY name"):
        yield [f"CREATE DATABASE d_{name} ENGINE = {name}{arguments}" for arguments in shapes]


def own_tables(engine: Connection, tree: Tree) -> Iterator[Case]:
    """The temporary tables that an analyst may make, with everything that could bring a file into one.

    But for INSERT … FROM INFILE, which only the look at the syntax tree refuses; test_own_tables tries that.
    """
    there = f"'{tree.cwd}/canary.csv'"
    yield [f"CREATE TEMPORARY TABLE x (a String, {column})" for column in _columns(there)]
    for (name,) in _rows(engine, "SELECT name FROM system.table_functions ORDER BY name"):
        if name in BY_TREE_ONLY:
            continue
        for arguments in (there, f"{there}, 'LineAsString'"):
            call = f"`{name}`({arguments})"
            yield [
                f"CREATE TEMPORARY TABLE x ENGINE = Memory AS SELECT * FROM {call}",
                f"CREATE TEMPORARY TABLE y AS {call}",
                "CREATE TEMPORARY TABLE z (a String)",
                f"INSERT INTO z SELECT * FROM {call}",
                f"INSERT INTO FUNCTION {call} SELECT 'a'",
                *(f"SELECT * FROM {table}" for table in "xyz"),
            ]
    for (name,) in _rows(engine, "SELECT name FROM system.codecs ORDER BY name"):
        yield [f"CREATE TEMPORARY TABLE x (a String CODEC({name}({there})))", "INSERT INTO x VALUES ('a')"]


def _columns(path: str) -> Iterator[str]:
    for value in (f"file({path})", f"(SELECT max(c1) FROM file({path}))", f"dictGet({path}, 'a', 1)"):
        for kind in ("DEFAULT", "MATERIALIZED", "EPHEMERAL", "ALIAS"):
            yield f"b String {kind} {value}"
        yield f"b Date TTL b + length({value})"
        yield f"CONSTRAINT c CHECK a = {value}"
        yield f"INDEX i {value} TYPE minmax"


def system_tables(engine: Connection, _tree: Tree) -> Iterator[Case]:
    """Each table of ``system``, in several ways; others' queries and errors are full of canaries meanwhile."""
    for (name,) in _rows(engine, "SELECT name FROM system.tables WHERE database = 'system' ORDER BY name"):
        yield [
            f"SELECT * FROM system.{name} LIMIT 1000",
            f"SELECT * FROM view(SELECT * FROM system.{name}) LIMIT 1000",
            f"SELECT * FROM loop(system.{name}) LIMIT 1000",
            f"SELECT * FROM merge('system', '^{name}$') LIMIT 1000",
        ]
    yield ["SHOW PROCESSLIST", "SHOW FULL TABLES FROM system", "SELECT * FROM merge('system', '.*') LIMIT 1000"]


#: Where the engine keeps pieces of what it has read, for a later question.
_MEMORY = ("SELECT * FROM system.errors", "SELECT * FROM system.schema_inference_cache")
GROUPS: dict[str, Callable[[Connection, Tree], Iterator[Case]]] = {
    "settings": settings,
    "text_settings": text_settings,
    "merge_tree_settings": merge_tree_settings,
    "functions": functions,
    "table_functions": table_functions,
    "formats": formats,
    "engines": engines,
    "own_tables": own_tables,
    "system_tables": system_tables,
}


#: Of each query.
_MEMORY_MIB = 256


def run(role: str, group: str, folder: Path, tree: Tree, first: int) -> None:
    """Run the cases of ``group`` as ``role`` and print what they did."""
    engine = Engine(
        folder, Limits(memory_mib=_MEMORY_MIB, seconds=2, total_mib=8 * _MEMORY_MIB), policy.load(USERS_XML)
    )
    loader = engine.connection("loader", _MEMORY_MIB)
    if first == 0:
        loader.execute("CREATE DATABASE firehose")
        loader.execute(view(tree.lake))
    if group == "system_tables":
        _fill_system_tables(engine, loader, tree)
    cases = list(GROUPS[group](loader, tree))
    at = os.open(folder / "at", os.O_WRONLY | os.O_CREAT)
    before = tree.stamps()
    for number, case in enumerate(cases[first:], first):
        os.pwrite(at, b"%10d" % number, 0)
        connection = engine.connection(role, _MEMORY_MIB)
        for statement in case:
            if MARK in (answer := _answer(connection, statement)):
                _report("read", statement, answer)
        connection.close()
        if (after := tree.stamps()) != before:
            _report("changed", "; ".join(case), str(sorted(set(after.items()) ^ set(before.items()))))
            before = after
    if group != "system_tables" and MARK in (kept := "".join(_answer(loader, each) for each in _MEMORY)):
        _report("kept", group, kept)
    _report("tried", group, str(sum(map(len, cases))))
    os._exit(0)  # a query of the loader still runs


def _answer(connection: Connection, statement: str) -> str:
    try:
        return bytes(connection.execute(statement).get_memview().view()).decode(errors="replace")
    except QueryError as error:
        return error.text


def _fill_system_tables(engine: Engine, loader: Connection, tree: Tree) -> None:
    """Canaries in the errors, the schema cache and the running queries, by the loader, who may."""
    _answer(loader, f"SELECT throwIf(1, '{MARK}-error')")
    _answer(loader, f"SELECT * FROM file('{tree.outside}/canary.csv')")
    running = f"SELECT '{MARK}-running', sleepEachRow(1) FROM numbers(300) SETTINGS max_block_size = 1"
    other = engine.connection("loader", _MEMORY_MIB)
    other.execute("SET max_execution_time = 300")
    threading.Thread(target=_answer, args=(other, running), daemon=True).start()


def _rows(connection: Connection, query: str) -> list[list[str]]:
    return [line.split("\t") for line in connection.execute(query).bytes().decode().splitlines()]


def _report(what: str, statement: str, detail: str) -> None:
    print(json.dumps({"what": what, "statement": statement, "detail": detail[:2000]}), flush=True)


if __name__ == "__main__":
    role, group, folder, root, first = sys.argv[1:]
    run(role, group, Path(folder), Tree(Path(root)), int(first))
