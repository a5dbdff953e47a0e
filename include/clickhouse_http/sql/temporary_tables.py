"""The statements about temporary tables that an analyst may use, by the engine's syntax tree.

Only this check refuses INSERT … FROM INFILE: the engine asks for no right there.

Lives here: CREATE TEMPORARY TABLE, INSERT, DROP and TRUNCATE, and the parts that they may have. Must not: I/O,
what a SELECT in them may read (rights.analyst), the size of the tables (table_memory).
"""

from __future__ import annotations

from typing import Any, Final

Node = dict[str, Any]

#: The parts that each statement may have. In an allowed statement the others are empty or missing.
_PARTS: Final = {
    "CreateQuery": frozenset(
        {
            *("type", "table", "table_ast", "is_temporary", "if_not_exists", "replace_table", "create_or_replace"),
            *("columns_list", "storage", "select", "is_create_empty", "format_ast"),
        }
    ),
    "InsertQuery": frozenset({"type", "table", "columns", "select", "format"}),
    "DropQuery": frozenset(
        {"type", "table", "table_ast", "kind", "is_temporary", "if_exists", "sync", "format_ast"}
    ),
}
_KINDS: Final = ("Drop", "Truncate")
_COLUMN: Final = frozenset({"type", "name", "data_type", "null_modifier"})
_ENGINE: Final = "Memory"


def temporary_table(root: Node) -> str | None:
    """The table that a statement makes, fills, empties or drops; None for any other statement.

    It does not know if there is a temporary table of that name.
    """
    parts = _PARTS.get(root.get("type", ""))
    if parts is None or not _has_only(root, parts):
        return None
    if root["type"] == "CreateQuery":
        fits = root.get("is_temporary") and _plain_columns(root) and _in_memory(root)
        return _name(root.get("table_ast")) if fits else None
    if root["type"] == "DropQuery":
        return _name(root.get("table_ast")) if root.get("kind") in _KINDS else None
    return _name(root.get("table"))


def _has_only(node: Node, parts: frozenset[str]) -> bool:
    return all(key in parts for key, value in node.items() if value)


def _name(identifier: Node | None) -> str | None:
    """A name without a database that stands in the statement itself, not in a parameter."""
    if identifier is None or not _has_only(identifier, frozenset({"type", "name"})):
        return None
    return identifier.get("name") or None


def _plain_columns(root: Node) -> bool:
    """True if columns have only names and types: a default, a codec or a TTL could call functions."""
    listed = root.get("columns_list") or {}
    if not _has_only(listed, frozenset({"type", "columns"})):
        return False
    return all(_has_only(column, _COLUMN) for column in (listed.get("columns") or {}).get("children", ()))


def _in_memory(root: Node) -> bool:
    storage = root.get("storage")
    if not storage:
        return True  # the engine's default, which the analyst cannot change
    engine = storage.get("engine") or {}
    return (
        _has_only(storage, frozenset({"type", "engine"}))
        and _has_only(engine, frozenset({"type", "name", "kind", "no_empty_args"}))
        and engine.get("name") == _ENGINE
    )
