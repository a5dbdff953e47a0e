"""docs/schema.md: tables, views and columns with their comments, as a migrated database has them.

Lives here: rendering, and a database made for it. Must not: comments (migrations, views, record types).
"""

from __future__ import annotations

import re
import secrets
import tempfile
from contextlib import closing
from typing import Final

from clickhouse_connect.driver.client import Client

from devstack.embedded import clickhouse as endpoint
from devstack.embedded.redis import free_port
from firehose.settings import Settings
from firehose.warehouse.client import connect
from firehose.warehouse.migrate import migrate
from firehose.warehouse.sql import SQL_FOLDER

_HEAD: Final = """# Schema

Made by `make docs` from the database; do not edit. All times are UTC.

`firehose` has views over the Parquet files of the lake, one for each record type and one, `events`, for all, with
one row an event: what happened. The views `current_…` have what exists, `edges` what is asked for often,
`quarantine` the events that were set aside, `cohorts` named lists of accounts. The views `seen_…` are as those
without it, of the firehose alone: `posts`, `likes`, `follows`, `reposts` and `blocks`, and the views `current_…`
over them, follow `FIREHOSE_READERS`. With another value than `new` their columns `rev`, `time_us`, `witnessed_at`,
`extra`, `has_video`, `since` and `first_seen` are `Nullable` ([migration.md](migration.md)). `account_events`,
`about`, `engagement`, `thread`, `top_records`, `records`, `followers`, `cohort_activity` and `who_had` are asked
with parameters, and answer from the tables of events in
milliseconds; so does `state`, of all accounts at a moment, in seconds. `account_history`, `handles` and
`account_marks` have who accounts were and are. Summary tables
follow the lake's batch ledger. `ops` has that ledger, the tables of events and the migrations. What the data
cannot tell is in [limits.md](limits.md); how to read the files with other tools, in
[other-tools.md](other-tools.md).

A view reads files. What keeps a query quick is a condition on the file's path: `hour_start`, `date`, or `year`,
`month`, `day` and `hour`. A condition on `witnessed_at` or `time_us` alone opens every file of the lake.
In the summaries `day` is a date and `hour` an instant, the start of the hour.
"""

#: A column in the file of a view. The engine lists none of a view with parameters.
_DECLARED: Final = re.compile(r"^    (\w+) +(\S.*?) +COMMENT '(.*)',?$", re.MULTILINE)


def page(client: Client) -> str:
    """The text of docs/schema.md, of a migrated ClickHouse."""
    tables = client.query(
        "SELECT database, name, engine, comment FROM system.tables WHERE database IN ('firehose', 'ops')"
        " AND NOT startsWith(name, 'staging_') ORDER BY database, name"
    ).result_rows
    parts = [_HEAD]
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
    rows = rows or _DECLARED.findall((SQL_FOLDER / "views" / f"{table}.sql").read_text(encoding="utf-8"))
    lines = [f"| `{name}` | `{kind}` | {comment} |\n" for name, kind, comment in rows]
    # A view with a parameter has no columns of its own.
    return "| column | type | |\n|---|---|---|\n" + "".join(lines) if lines else ""


def of_new_database() -> str:
    """The same, of an embedded ClickHouse that is made for it."""
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
            return page(client)
