"""The names in a statement, from the engine's syntax tree: settings, functions and tables at any depth.

Lives here: reading the tree that the engine gives as JSON. Must not: parsing SQL, I/O, and decisions about rights.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

import msgspec

from clickhouse_http.sql.temporary_tables import temporary_table

#: Below these nodes a clause of this name holds options of EXPLAIN or of a table engine, not settings.
_OPTIONS: Final = {"ExplainQuery": "settings", "Storage": "settings"}
#: Kinds of SHOW that share the node of SHOW TABLES but are not about tables or databases.
_SHOW_OTHER: Final = ("dictionaries", "merges", "clusters", "cluster", "caches")
_APPLY: Final = "ColumnsApplyTransformer"


@dataclass(frozen=True)
class Mentions:
    """The names in a statement. Functions are in lower case."""

    root: str
    settings: frozenset[str] = frozenset()
    functions: frozenset[str] = frozenset()
    tables: frozenset[tuple[str, ...]] = frozenset()  # each as its parts; the database first, if it is named
    temporary_table: str | None = None  # the one that it makes, fills or drops, if it does nothing else
    only_temporary: bool = False  # it says TEMPORARY, so it means no other table
    shows: frozenset[str] = frozenset()  # what a SHOW lists, other than tables, databases or settings


def mentions(tree: str) -> Mentions:
    """Read the JSON of ``parseQueryToJSON``.

    Raises:
        RecursionError: it is nested too deeply.
    """
    root = msgspec.json.decode(tree, type=dict[str, Any])
    settings: set[str] = set()
    functions: set[str] = set()
    tables: set[tuple[str, ...]] = set()
    for node in _nodes(root):
        kind = node.get("type")
        if kind == "SetQuery":
            settings.update(change["name"] for change in node.get("changes", ()))
            settings.update(node.get("default_settings", ()))
        elif kind == "Function":
            functions.add(str(node.get("name", "")).lower())
        elif kind == _APPLY:
            functions.add(str(node.get("func_name", "")).lower())
        elif kind in ("TableIdentifier", "Identifier"):
            tables.add(tuple(node.get("name_parts") or (node.get("name", ""),)))
    return Mentions(
        root=str(root.get("type", "")),
        settings=frozenset(settings),
        functions=frozenset(functions),
        tables=frozenset(tables),
        temporary_table=temporary_table(root),
        only_temporary=bool(root.get("is_temporary")),
        shows=frozenset(name for name in _SHOW_OTHER if root.get(name)),
    )


def _nodes(root: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Every object of the tree. Not recursive: the tree may be deep."""
    pending: list[Any] = [root]
    while pending:
        node = pending.pop()
        if isinstance(node, dict):
            yield node
            skipped = _OPTIONS.get(node.get("type", ""))
            pending.extend(value for key, value in node.items() if key != skipped)
        elif isinstance(node, list):
            pending.extend(node)
