"""Brings a ClickHouse to the current schema: numbered SQL files once each, then the views over the lake.

Lives here: reading, checking and applying migrations. Must not: the SQL itself (firehose/clickhouse, views.py).
"""

from __future__ import annotations

import hashlib
import re
from pathlib import Path
from typing import Final, NamedTuple

from clickhouse_connect.driver.client import Client

from firehose.errors import FirehoseError
from firehose.settings import Settings
from firehose.warehouse.client import clickhouse_errors
from firehose.warehouse.cluster import statements
from firehose.warehouse.sql import SQL_FOLDER
from firehose.warehouse.views import DATABASE, View, views
from ingester.contract.logs import get_logger

log = get_logger(__name__)

_DATABASES: Final = (DATABASE, "ops")
_LEDGER: Final = """\
CREATE TABLE IF NOT EXISTS ops.migrations
(
    number     UInt32                COMMENT 'Number of the file in include/firehose/clickhouse/migrations',
    name       String                COMMENT 'Its name',
    sha256     String                COMMENT 'Hash of its content when it was applied',
    applied_at DateTime64(3, 'UTC')  COMMENT 'When its last statement had run'
)
ENGINE = MergeTree ORDER BY number
COMMENT 'Migrations applied to this ClickHouse'"""
_FIRST: Final = (*(f"CREATE DATABASE IF NOT EXISTS {name}" for name in _DATABASES), _LEDGER)


class Migration(NamedTuple):
    """One numbered SQL file."""

    number: int
    name: str
    sha256: str
    statements: tuple[str, ...]


class Migrated(NamedTuple):
    """The migrations and views that a run applied, or would apply, by name."""

    migrations: tuple[str, ...]
    views: tuple[str, ...]


def migrate(
    client: Client, settings: Settings, *, dry_run: bool = False, folder: Path = SQL_FOLDER / "migrations"
) -> Migrated:
    """Apply the migrations and views that are missing. Safe to repeat, even after a run that was killed half way.

    Raises:
        FirehoseError: an applied migration was edited or removed, or ClickHouse refuses a statement.
        LakeOutdated: the lake has the folder names of an earlier version, where views would not find the files.
        ServiceUnavailable: ClickHouse went away.
    """
    settings.lake_path.require_current()
    with clickhouse_errors():
        for statement in () if dry_run else _FIRST:
            client.command(statement)
        missing, outdated = _todo(client, settings, folder)
        for migration in () if dry_run else missing:
            _apply(client, migration)
        for view in () if dry_run else outdated:
            client.command(view.statement)
    return Migrated(tuple(m.name for m in missing), tuple(v.name for v in outdated))


def sql(client: Client, settings: Settings, folder: Path = SQL_FOLDER / "migrations") -> list[str]:
    """The statements that :func:`migrate` would send now, in order, as they would be sent. Changes nothing.

    Raises:
        FirehoseError: as :func:`migrate`.
    """
    with clickhouse_errors():
        missing, outdated = _todo(client, settings, folder)
        found = [*_FIRST] if missing else []
        for migration in missing:
            found += [*migration.statements, _recorded(migration)]
        found += [view.statement for view in outdated]
        return [statement for each in found for statement in statements(client, each)]


def read_migrations(folder: Path) -> list[Migration]:
    """The migrations of a folder (files ``NNNN_name.sql``) in order.

    Raises:
        FirehoseError: a file has no number, or the numbers are not 1, 2, 3 ….
    """
    found = []
    for path in sorted(folder.glob("*.sql")):
        match = re.fullmatch(r"(\d{4})_\w+", path.stem)
        if not match:
            raise FirehoseError(f"{path}: a migration is named NNNN_name.sql; rename it")
        text = path.read_text(encoding="utf-8")
        digest = hashlib.sha256(text.encode()).hexdigest()
        found.append(Migration(int(match[1]), path.stem, digest, split_statements(text)))
    if [m.number for m in found] != list(range(1, len(found) + 1)):
        raise FirehoseError(f"{folder}: migrations must be numbered 1, 2, 3 … without a gap; rename the last one")
    return found


def split_statements(text: str) -> tuple[str, ...]:
    """The statements of a file. Each ends with a semicolon at the end of a line."""
    parts = (part.strip() for part in re.split(r";[ \t]*$", text, flags=re.MULTILINE))
    return tuple(part for part in parts if part)


def pending(migrations: list[Migration], applied: dict[int, tuple[str, str]]) -> list[Migration]:
    """Those not yet in ``applied`` (number to name and sha256).

    Raises:
        FirehoseError: an applied migration differs from its file, or its file is missing.
    """
    by_number = {m.number: m for m in migrations}
    for number, (name, sha256) in sorted(applied.items()):
        if number not in by_number:
            raise FirehoseError(
                f"ClickHouse has migration {name}, which this version of firehose does not know: update firehose"
            )
        if by_number[number].sha256 != sha256:
            raise FirehoseError(
                f"migration {name} was edited after it was applied: restore it and add a new migration"
            )
    return [m for m in migrations if m.number not in applied]


def _applied(client: Client) -> dict[int, tuple[str, str]]:
    if not client.command("EXISTS TABLE ops.migrations"):
        return {}
    rows = client.query("SELECT number, name, sha256 FROM ops.migrations").result_rows
    return {number: (name, sha256) for number, name, sha256 in rows}


def _apply(client: Client, migration: Migration) -> None:
    log.info("applying a migration", migration=migration.name)
    for statement in migration.statements:
        client.command(statement)
    client.command(_recorded(migration))


def _recorded(migration: Migration) -> str:
    row = f"{migration.number}, '{migration.name}', '{migration.sha256}', now64(3)"
    return f"INSERT INTO ops.migrations SELECT {row}"


def _todo(client: Client, settings: Settings, folder: Path) -> tuple[list[Migration], list[View]]:
    """The migrations that are missing, and the views that are not as they should be."""
    wanted = views(settings.clickhouse_lake_root, settings.clickhouse_cluster, settings.readers)
    return pending(read_migrations(folder), _applied(client)), _outdated(client, wanted)


def _outdated(client: Client, wanted: list[View]) -> list[View]:
    """The views that are missing, or were made from another schema or for another lake."""
    query = "SELECT name, comment FROM system.tables WHERE database = {database:String}"
    rows = client.query(query, parameters={"database": DATABASE}).result_rows
    there = {name: comment for name, comment in rows}  # noqa: C416 - rows are sequences of any length
    return [view for view in wanted if there.get(view.name) != view.comment]
