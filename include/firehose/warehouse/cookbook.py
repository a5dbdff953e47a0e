"""The recipes of the cookbook: the queries of ``firehose/clickhouse/queries`` with what their comments say.

A recipe begins with lines of comment: its title, a text, and a line that says what is read of each table or
record type, and how far the rest is skipped. Tests hold it to that:

    -- Reads: ops.edges by partition, key; ops.post_texts by index words; posts of 7 days; blocks whole

``by partition``, ``key`` or ``index NAME`` is of a table: by what its plan skips, wherever it is read (``or``:
by one in one place, by the other in another). ``of 1 hour`` or ``of N days`` is of a record type in the lake: the
hours whose files are opened; ``twice``: so often. ``whole``: nothing is skipped.

Lives here: reading them. Must not: run them.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Final, NamedTuple

from firehose.errors import FirehoseError
from firehose.warehouse.sql import SQL_FOLDER

FOLDER: Final = SQL_FOLDER / "queries"
_READS: Final = "Reads: "
_READ: Final = re.compile(
    r"(?P<source>[\w.]+) (?:whole|by (?P<by>[\w, ]+)|of (?P<span>1 hour|\d+ days?)(?P<twice>, twice)?)"
)


class Read(NamedTuple):
    """A table, or a record type of the lake, and how far a recipe reads it; neither ``by`` nor ``span``: whole."""

    source: str
    by: frozenset[str] = frozenset()
    span: str = ""
    times: int = 1

    @property
    def of_table(self) -> bool:
        """Whether it is a table, and not files of the lake."""
        return "." in self.source


class Recipe(NamedTuple):
    """A query of the cookbook: the first line of comment is its title, the others say more."""

    name: str
    title: str
    about: str
    reads: str
    sql: str

    def each_read(self) -> list[Read]:
        """What it reads.

        Raises:
            FirehoseError: the line has another form.
        """
        return [_read(self.name, part) for part in self.reads.split("; ")] if self.reads else []


def recipes(folder: Path = FOLDER) -> list[Recipe]:
    """The recipes in order."""
    return [_recipe(path) for path in sorted(folder.glob("*.sql"))]


def _recipe(path: Path) -> Recipe:
    lines = path.read_text(encoding="utf-8").splitlines()
    title, *others = [line[3:] for line in lines if line.startswith("-- ")]
    about = [line for line in others if not line.startswith(_READS)]
    reads = [line.removeprefix(_READS) for line in others if line.startswith(_READS)]
    sql = "\n".join(line for line in lines if not line.startswith("-- "))
    return Recipe(path.stem, title, " ".join(about), "; ".join(reads), sql.strip())


def _read(name: str, text: str) -> Read:
    match = _READ.fullmatch(text)
    if not match:
        raise FirehoseError(f"{FOLDER / name}.sql: {text!r} does not say how far something is read")
    by = frozenset(match["by"].split(", ")) if match["by"] else frozenset()
    return Read(match["source"], by, match["span"] or "", 2 if match["twice"] else 1)
