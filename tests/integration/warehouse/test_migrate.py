"""Migrations on the real engine: once each, repeatable, and what they make is what the code declares."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest
from clickhouse_connect.driver.client import Client

from firehose import schema
from firehose.errors import FirehoseError, LakeOutdated
from firehose.settings import Settings
from firehose.warehouse import event_tables
from firehose.warehouse.columns import EVENTS, OF_BOTH_SYSTEMS, view_columns
from firehose.warehouse.migrate import Migrated, migrate, read_migrations
from firehose.warehouse.plan import KEYS, SEEN, SUMMARIES
from firehose.warehouse.sql import SQL_FOLDER
from firehose.warehouse.views import views
from tests.integration.warehouse.dying import DyingClient
from tests.integration.warehouse.lakes import TABLES, LakeBuilder, at, drop_databases
from tests.support.earlier_lakes import give_earlier_names


def columns_of(client: Client, table: str) -> list[tuple[str, str]]:
    """Names and types of a table or view of the database ``firehose``."""
    rows = client.query(
        "SELECT name, type FROM system.columns WHERE database = 'firehose' AND table = {t:String}"
        " ORDER BY position",
        parameters={"t": table},
    ).result_rows
    return [(name, kind) for name, kind in rows]


def test_second_run_applies_nothing(empty: Client, settings: Settings) -> None:
    first = migrate(empty, settings)
    assert first.migrations == tuple(m.name for m in read_migrations(SQL_FOLDER / "migrations"))
    assert first.views == tuple(view.name for view in views(settings.clickhouse_lake_root))
    assert {*schema.TYPES, "events", "quarantine", "current_posts", "handles"} <= {*first.views}
    assert migrate(empty, settings) == Migrated((), ())
    recorded = empty.query("SELECT name FROM ops.migrations ORDER BY number").result_columns
    assert tuple(recorded[0]) == first.migrations


def test_dry_run_says_what_would_be_applied_and_changes_nothing(empty: Client, settings: Settings) -> None:
    planned = migrate(empty, settings, dry_run=True)
    assert empty.query("SHOW DATABASES LIKE 'firehose'").result_rows == []
    assert migrate(empty, settings) == planned


@pytest.mark.parametrize("record_type", schema.TYPES)
def test_views_have_the_declared_columns(client: Client, record_type: str) -> None:
    declared = [(c.name, c.type) for c in view_columns(record_type)]
    assert columns_of(client, record_type) == declared
    if record_type in schema.EVENT_TYPES:  # the view of imported records names some of its columns otherwise
        of_files = schema.SCHEMAS[record_type].names
        assert [name for name, _ in declared][: len(of_files)] == of_files


def test_view_of_all_events_has_the_declared_columns(client: Client) -> None:
    assert columns_of(client, "events") == [(c.name, c.type) for c in EVENTS]


def test_every_summary_has_a_table_partitioned_by_day(client: Client) -> None:
    rows = client.query(
        "SELECT concat(database, '.', name), partition_key FROM system.tables"
        " WHERE database IN ('firehose', 'ops') AND engine = 'MergeTree'"
        " AND name NOT IN ('migrations', 'gaps', 'adding', 'events_read')"
        " AND concat(database, '.', name) NOT IN {events:Array(String)} ORDER BY 1",
        parameters={"events": list(event_tables.TABLES)},
    ).result_rows
    assert rows == sorted((s.table, "day") for s in (*SUMMARIES, KEYS, SEEN))
    assert {s.table for s in (*SUMMARIES, KEYS, SEEN)} == set(TABLES)
    queries = {path.stem for path in (SQL_FOLDER / "summaries").glob("*.sql")}
    assert queries == {s.table.split(".")[1] for s in (*SUMMARIES, KEYS, SEEN)}


def test_an_edited_migration_is_refused(empty: Client, settings: Settings, tmp_path: Path) -> None:
    file = tmp_path / "0001_first.sql"
    file.write_text("SELECT 1;")
    migrate(empty, settings, folder=tmp_path)
    file.write_text("SELECT 2;")
    with pytest.raises(FirehoseError, match="0001_first was edited"):
        migrate(empty, settings, folder=tmp_path)


def test_views_follow_the_lake(client: Client, settings: Settings, tmp_path: Path) -> None:
    moved = msgspec.structs.replace(settings, lake=str(tmp_path / "it's elsewhere"))
    over_files = {*schema.TYPES, *(f"seen_{name}" for name in OF_BOTH_SYSTEMS), "events", "quarantine", "cohorts"}
    assert {*migrate(client, moved).views} == over_files
    assert "elsewhere" in str(client.command("SHOW CREATE TABLE firehose.posts"))
    assert client.command("SELECT count() FROM firehose.events") == 0


def test_views_are_not_made_over_an_earlier_lake(client: Client, settings: Settings, lake: LakeBuilder) -> None:
    lake.publish(at(1), {at(1): ["likes"]})
    give_earlier_names(lake.root)
    moved = msgspec.structs.replace(settings, clickhouse_lake="/elsewhere")
    with pytest.raises(LakeOutdated, match="firehose upgrade-lake"):
        migrate(client, moved)
    assert "elsewhere" not in str(client.command("SHOW CREATE TABLE firehose.quarantine"))


def test_a_run_killed_before_any_command_is_completed_by_the_next(empty: Client, settings: Settings) -> None:
    died = 0
    while True:
        drop_databases(empty)
        try:
            migrate(DyingClient(empty, died), settings)  # type: ignore[arg-type]  # a proxy, not a subclass
            break
        except SystemExit:
            died += 19  # not every point: each costs three runs
        migrate(empty, settings)
        assert migrate(empty, settings, dry_run=True) == Migrated((), ())
        assert len(columns_of(empty, "events")) == len(EVENTS)
    assert died >= len(SUMMARIES) + len(schema.TYPES)
