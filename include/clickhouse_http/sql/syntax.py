"""What a statement mentions, by the engine's own syntax tree: its settings, functions and tables at any depth.

Lives here: reading the tree that the engine gives as JSON. Must not: parsing SQL, I/O, and decisions about rights.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

import msgspec

from clickhouse_http.sql.own_tables import own_table

#: What a clause of this name below these nodes holds are options of EXPLAIN and of a table engine, not settings.
_OPTIONS: Final = {"ExplainQuery": "settings", "Storage": "settings"}
#: Kinds of SHOW that the node of SHOW TABLES stands for as well, and that are not about tables or databases.
_SHOW_OTHER: Final = ("dictionaries", "merges", "clusters", "cluster", "caches")
_APPLY: Final = "ColumnsApplyTransformer"


@dataclass(frozen=True)
class Mentions:
    """The names in a statement. Functions are in lower case."""

    root: str
    settings: frozenset[str] = frozenset()
    functions: frozenset[str] = frozenset()
    tables: frozenset[tuple[str, ...]] = frozenset()  # each as its parts, database first where it is named
    own_table: str | None = None  # the temporary table that it makes, fills or drops, if it does no more than that
    only_temporary: bool = False  # it says TEMPORARY, and so means no other table
    shows: frozenset[str] = frozenset()  # what a SHOW lists that is not tables, databases or settings


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
        own_table=own_table(root),
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
