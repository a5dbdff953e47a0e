"""Former names in ops.gaps and ops.coverage: readable for one version, also while their migration is killed."""

from __future__ import annotations

from typing import Final

from clickhouse_connect.driver.client import Client

from firehose.settings import Settings
from firehose.warehouse.client import connect
from firehose.warehouse.coverage import load_gaps
from firehose.warehouse.migrate import read_migrations
from firehose.warehouse.sql import SQL_FOLDER
from ingester.contract.gap import Gap, Reason

GAPS: Final = (
    "('a', 'blind', 'one', 'v1', 'posts', 100, 200, 'other host', 300),"
    " ('b', 'unread', 'one', 'v2', '', 400, 500, '', 600)"
)
OLD: Final = [("a", "blind", "other host"), ("b", "unread", "")]
NEW: Final = [("a", "partial", "other host"), ("b", "oversize", "")]
MIGRATIONS: Final = {migration.name: migration for migration in read_migrations(SQL_FOLDER / "migrations")}


def make_earlier(client: Client) -> None:
    """Make ops.gaps as it was before, with a gap of either renamed reason."""
    client.command("DROP TABLE ops.gaps")
    client.command(MIGRATIONS["0003_coverage"].statements[0])
    client.command(f"INSERT INTO ops.gaps VALUES {GAPS}")
    assert rows(client, "id, reason, healed") == OLD


def rows(client: Client, columns: str) -> list[tuple[str, ...]]:
    """Gaps by their ids."""
    return [tuple(row) for row in client.query(f"SELECT {columns} FROM ops.gaps ORDER BY id").result_rows]


def test_gaps_are_never_away_and_keep_their_old_names(client: Client) -> None:
    statements = MIGRATIONS["0010_filled_gaps"].statements
    for died_after in range(len(statements) + 1):
        make_earlier(client)
        for statement in statements[:died_after]:
            client.command(statement)
            assert rows(client, "id, host, healed") == [("a", "one", "other host"), ("b", "one", "")]
        for statement in statements:
            client.command(statement)
        assert rows(client, "id, reason, filled") == NEW
        assert rows(client, "id, old_reason, healed") == OLD
    assert client.query("SHOW TABLES FROM ops LIKE 'gaps_%'").result_rows == []


def test_the_analyst_reads_the_old_names_also_after_the_gaps_were_loaded(
    client: Client, settings: Settings
) -> None:
    gap = Gap(id="a", reason=Reason.PARTIAL, from_us=1, to_us=2, noted_us=3, filled="replay")
    assert load_gaps(client, [gap])
    analyst = connect(settings, "analyst")
    assert rows(analyst, "reason, old_reason, filled, healed") == [("partial", "blind", "replay", "replay")]
    analyst.close()


def test_each_old_column_says_its_new_name(client: Client) -> None:
    query = "SELECT name, comment FROM system.columns WHERE database = 'ops' AND comment LIKE '%next version%'"
    found = dict(map(tuple, client.query(query).result_rows))
    assert {name: comment.split(";")[0] for name, comment in found.items()} == {
        "healed": "The former name of filled",
        "old_reason": "reason with its former values, blind and unread",
        "seconds_healed": "The former name of seconds_filled",
    }


def test_coverage_has_filled_seconds_under_both_names(client: Client) -> None:
    client.command("INSERT INTO ops.batches (batch, id, start, end, hours) VALUES (7200, 'x', 7200, 10800, [])")
    client.command("INSERT INTO ops.gaps (id, start, end, filled) VALUES ('a', 7200, 7260, 'replay')")
    found = client.query("SELECT DISTINCT seconds_filled, seconds_healed FROM ops.coverage").result_rows
    assert found == [(60.0, 60.0)]
