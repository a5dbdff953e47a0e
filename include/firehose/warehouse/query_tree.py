"""A query as the engine has analysed it (``EXPLAIN QUERY TREE``), read from its printed form.

Lives here: the tree and its nodes, as pure functions. Must not: ask the engine, know what a condition means.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final, NamedTuple

_COLUMN: Final = re.compile(r"column_name: (.*), result_type: (.*), source_id: (\d+)$")
_CONSTANT: Final = re.compile(r"constant_value: (.*), constant_value_type: (.*)$")
_FUNCTION: Final = re.compile(r"function_name: (\w+)")
_TABLE: Final = re.compile(r"\bid: (\d+)\b.*\btable_name: ([^,]+)")
_TABLE_FUNCTION: Final = re.compile(r"\bid: (\d+)\b.*\btable_function_name: ([^,]+)")


class Column(NamedTuple):
    """A column of the table that has this number in the tree."""

    name: str
    type: str
    table: str


@dataclass
class Node:
    """A line of the tree, and what is below it."""

    text: str
    children: list[Node] = field(default_factory=list)

    @property
    def kind(self) -> str:
        """``QUERY``, ``FUNCTION``, ``WHERE`` and so on."""
        return self.text.partition(" id: ")[0]

    @property
    def function(self) -> str:
        """The function's name; empty: it is none."""
        found = _FUNCTION.search(self.text) if self.kind == "FUNCTION" else None
        return found[1] if found else ""

    @property
    def arguments(self) -> list[Node]:
        """The arguments of a function."""
        return [node for each in self.below("ARGUMENTS") for node in each.children]

    @property
    def column(self) -> Column | None:
        """The column, if it is one."""
        found = _COLUMN.search(self.text) if self.kind == "COLUMN" else None
        return Column(*found.groups()) if found else None

    @property
    def constant(self) -> tuple[str, str] | None:
        """The value of a constant in the engine's notation, and its type."""
        found = _CONSTANT.search(self.text) if self.kind == "CONSTANT" else None
        return (found[1], found[2]) if found else None

    @property
    def table(self) -> tuple[str, str] | None:
        """The number of a table in the tree, and its full name."""
        found = _TABLE.search(self.text) if self.kind == "TABLE" else None
        return (found[1], found[2]) if found else None

    @property
    def table_function(self) -> tuple[str, str] | None:
        """The number of a table function in the tree, and its name: a view with parameters is one."""
        found = _TABLE_FUNCTION.search(self.text) if self.kind == "TABLE_FUNCTION" else None
        return (found[1], found[2]) if found else None

    def below(self, kind: str) -> list[Node]:
        """The children of the children of this kind."""
        return [node for child in self.children if child.kind == kind for node in child.children]

    def all(self, kind: str, *, but_not_in: str = "") -> Iterator[Node]:
        """Every node of this kind below this one, except those below one of the kind ``but_not_in``."""
        for child in self.children:
            if child.kind == kind:
                yield child
            if child.kind != but_not_in:
                yield from child.all(kind, but_not_in=but_not_in)


def parsed(tree: str) -> Node:
    """The tree, below a node of its own. A line is below the last one that is indented less."""
    root = Node("")
    path = [root]
    for line in tree.splitlines():
        text = line.lstrip(" ")
        del path[(len(line) - len(text)) // 2 + 1 :]
        path.append(Node(text))
        path[-2].children.append(path[-1])
    return root
