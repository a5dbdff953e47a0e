"""The pages docs/schema.md and docs/cookbook.md, made from the database and the query files.

Lives here: rendering. A test holds the pages current; ``make docs`` writes them.
"""

from __future__ import annotations

import secrets
import sys
import tempfile
from contextlib import closing
from pathlib import Path
from typing import Final, NamedTuple

from clickhouse_connect.driver.client import Client

from devstack.embedded import clickhouse as endpoint
from devstack.embedded.redis import free_port
from firehose.settings import Settings
from firehose.warehouse.client import connect
from firehose.warehouse.migrate import migrate
from firehose.warehouse.sql import SQL_FOLDER

_SCHEMA_HEAD: Final = """# Schema

Generated from the database: see `firehose.warehouse.reference`. All times are UTC.

`firehose` has views over the Parquet files of the lake, one for each record type and one, `events`, for all, with
one row an event: what happened. The views `current_…` have what exists, `handles` and `edges` what is asked for
often, `quarantine` the events that were set aside. Summary tables follow the lake's batch ledger. `ops` has that
ledger and the migrations. What the data cannot tell is in [limits.md](limits.md); how to read the files with other
tools, in [other-tools.md](other-tools.md).

A view reads files. What keeps a query quick is a condition on the file's path: `hour_start`, `date`, or `year`,
`month`, `day` and `hour`. A condition on `witnessed_at` or `time_us` alone opens every file of the lake.
In the summaries `day` is a date and `hour` an instant, the start of the hour.
"""
_COOKBOOK_HEAD: Final = """# SQL cookbook

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


def cookbook_page() -> str:
    """docs/cookbook.md."""
    parts = [_COOKBOOK_HEAD]
    parts += [f"## {r.title}\n\n{r.about} (`{r.name}.sql`)\n\n```sql\n{r.sql}\n```\n" for r in recipes()]
    return "\n".join(parts)


def schema_page(client: Client) -> str:
    """docs/schema.md, of a migrated ClickHouse."""
    tables = client.query(
        "SELECT database, name, engine, comment FROM system.tables WHERE database IN ('firehose', 'ops')"
        " AND NOT startsWith(name, 'staging_') ORDER BY database, name"
    ).result_rows
    parts = [_SCHEMA_HEAD]
    for database, name, engine, comment in tables:
        # The mark of a view's definition depends on where the lake is.
        about = comment.split(" (definition ")[0]
        kind = "View" if engine == "View" else f"Table ({engine})"
        parts.append(f"## {database}.{name}\n\n{kind}. {about}.\n\n{_columns(client, database, name)}")
    return "\n".join(parts)


def _columns(client: Client, database: str, table: str) -> str:
    rows = client.query(
        "SELECT name, type, comment FROM system.columns WHERE database = {d:String} AND table = {t:String}"
        " ORDER BY position",
        parameters={"d": database, "t": table},
    ).result_rows
    lines = [f"| `{name}` | `{kind}` | {comment} |\n" for name, kind, comment in rows]
    return "| column | type | |\n|---|---|---|\n" + "".join(lines)


def main(folder: Path) -> None:
    """Write both pages into ``folder``, from an embedded ClickHouse made for it."""
    with tempfile.TemporaryDirectory() as home:
        made = Settings(
            home=home,
            lake=f"{home}/lake",
            clickhouse_url=f"http://127.0.0.1:{free_port()}",
            clickhouse_loader_password=secrets.token_urlsafe(),
            clickhouse_analyst_password=secrets.token_urlsafe(),
        )
        with endpoint.start(made), closing(connect(made)) as client:
            migrate(client, made)
            (folder / "schema.md").write_text(schema_page(client), encoding="utf-8")
    (folder / "cookbook.md").write_text(cookbook_page(), encoding="utf-8")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
