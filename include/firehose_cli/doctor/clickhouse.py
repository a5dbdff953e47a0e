"""Checks of ClickHouse: both users, their rights, the schema, and whether it can read the lake."""

from __future__ import annotations

from contextlib import closing
from typing import Final

from clickhouse_connect.driver.exceptions import ClickHouseError

from firehose.lake import layout
from firehose.schema import TYPES
from firehose.settings import Settings
from firehose.warehouse.client import Role, clickhouse_errors, connect
from firehose.warehouse.migrate import migrate
from firehose_cli.doctor.check import Check, Finding, failure, not_checked, ok, warning

#: Needs the right to write, and writes nothing.
_WRITES_NOTHING: Final = "INSERT INTO ops.migrations SELECT * FROM ops.migrations WHERE 0"
_USERS: Final = "docs/operations.md; the users are in include/firehose/clickhouse/server/users.xml"


def _answers(settings: Settings, role: Role) -> Finding:
    with closing(connect(settings, role)) as client, clickhouse_errors():
        version = client.command("SELECT version()")
    return ok(f"ClickHouse {version} lets the {role} in")


def loader(settings: Settings) -> Finding:
    """It answers, and lets the loader in."""
    return _answers(settings, "loader")


def analyst(settings: Settings) -> Finding:
    """It lets the analyst in."""
    return _answers(settings, "analyst")


def rights(settings: Settings) -> Finding:
    """The loader may write, and the analyst may not."""
    with closing(connect(settings, "loader")) as client, clickhouse_errors():
        if not client.command("EXISTS TABLE ops.migrations"):
            return not_checked("it has no tables yet: firehose migrate")
        client.command(_WRITES_NOTHING)
    with closing(connect(settings, "analyst")) as client:
        try:
            client.command(_WRITES_NOTHING)
        except ClickHouseError:
            return ok("the loader may write, and the analyst is refused")
    return failure("the analyst may write", f"give it the rights of a reader only: {_USERS}")


def migrations(settings: Settings) -> Finding:
    """The tables and views are those of this version."""
    with closing(connect(settings)) as client:
        todo = migrate(client, settings, dry_run=True)
    if todo.migrations or todo.views:
        said = f"{len(todo.migrations)} migrations and {len(todo.views)} views are not those of this version"
        return failure(said, "firehose migrate (the next batch does it as well)")
    return ok("tables and views are those of this version")


def lake(settings: Settings) -> Finding:
    """The analyst's views read the lake."""
    of_type = next((name for name in TYPES if layout.hour_files(settings.lake_path, name)), None)
    if of_type is None:
        return not_checked("the lake has no hour file yet")
    with closing(connect(settings, "analyst")) as client, clickhouse_errors():
        rows = client.query(f"SELECT time_us FROM firehose.{of_type} LIMIT 1").row_count
    if not rows:
        return warning(
            f"firehose.{of_type} has no rows, and the lake has: ClickHouse does not see the lake's files",
            "FIREHOSE_CLICKHOUSE_LAKE is the lake as ClickHouse sees it: set it, then firehose migrate",
        )
    return ok(f"firehose.{of_type} reads the lake")


CHECKS: Final = (
    Check("clickhouse.loader", loader),
    Check("clickhouse.analyst", analyst, after="clickhouse.loader"),
    Check("clickhouse.rights", rights, after="clickhouse.loader"),
    Check("clickhouse.migrations", migrations, timeout_s=30.0, after="clickhouse.loader"),
    Check("clickhouse.lake", lake, timeout_s=60.0, after="clickhouse.loader"),
)
