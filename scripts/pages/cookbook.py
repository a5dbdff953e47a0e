"""docs/cookbook.md: the queries of ``firehose/clickhouse/queries`` with what their comments say of them.

Must not: run a query; tests do.
"""

from __future__ import annotations

from pathlib import Path
from typing import Final, NamedTuple

from firehose.warehouse.sql import SQL_FOLDER

_HEAD: Final = """# SQL cookbook

Queries to start from, each a file in `include/firehose/clickhouse/queries/` that a test runs. "The latest day"
is the latest in the summaries, so they work on a replay of old events too. Run one with
`firehose query - < include/firehose/clickhouse/queries/05_languages.sql`; the columns are in
[schema.md](schema.md). Each answer is checked against DuckDB on the Parquet files; what no query can answer is
in [limits.md](limits.md). The views `current_…` read the whole lake. For pandas, polars, DuckDB, Spark, Grafana
and notebooks see [other-tools.md](other-tools.md).
"""


class Recipe(NamedTuple):
    """A query of the cookbook: the first line of comment is its title, the others say more."""

    name: str
    title: str
    about: str
    sql: str


def recipes(folder: Path = SQL_FOLDER / "queries") -> list[Recipe]:
    """The queries of the cookbook in order."""
    return [_recipe(path) for path in sorted(folder.glob("*.sql"))]


def _recipe(path: Path) -> Recipe:
    lines = path.read_text(encoding="utf-8").splitlines()
    comments = [line[3:] for line in lines if line.startswith("-- ")]
    sql = "\n".join(line for line in lines if not line.startswith("-- "))
    return Recipe(path.stem, comments[0], " ".join(comments[1:]), sql.strip())


def page() -> str:
    """The text of docs/cookbook.md."""
    parts = [_HEAD]
    parts += [f"## {r.title}\n\n{r.about} (`{r.name}.sql`)\n\n```sql\n{r.sql}\n```\n" for r in recipes()]
    return "\n".join(parts)
