"""``firehose migrate``, ``summaries`` and ``query`` as a user runs them: what they print, and where."""

from __future__ import annotations

import json
import re

import msgspec
import pytest
import typer
from clickhouse_connect.driver.client import Client
from typer.testing import CliRunner, Result

from firehose.errors import FirehoseError, ServiceUnavailable
from firehose.settings import Settings
from firehose.warehouse.migrate import read_migrations
from firehose.warehouse.sql import SQL_FOLDER
from firehose_cli.migrate import migrate
from firehose_cli.query import query
from firehose_cli.summaries import summaries
from tests.integration.warehouse.lakes import LakeBuilder

app = typer.Typer()
for command in (migrate, query, summaries):
    app.command()(command)


@pytest.fixture(autouse=True)
def environment(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    """The settings of the test, where a user would set them."""
    for name in ("home", "lake", "clickhouse_url", "clickhouse_loader_password", "clickhouse_analyst_password"):
        monkeypatch.setenv(f"FIREHOSE_{name.upper()}", str(msgspec.structs.asdict(settings)[name]))


def run(*arguments: str, text: str | None = None) -> Result:
    """Run a command that must succeed."""
    return CliRunner().invoke(app, arguments, input=text, catch_exceptions=False)


def test_migrate_then_summaries_then_query(empty: Client, small_lake: LakeBuilder) -> None:
    dry = run("migrate", "--dry-run")
    assert "would apply migration 0001_ledger" in dry.stderr
    assert dry.stdout.startswith("CREATE DATABASE IF NOT EXISTS firehose;\n\nCREATE DATABASE IF NOT EXISTS ops;\n")
    assert "applied view events" in run("migrate").stderr
    assert run("migrate").stderr == "the schema is current\n"
    assert re.match(r"loaded 2 batches, rebuilt 2 hours in \d+\.\d s\n", run("summaries").stderr)
    answer = run(
        "query", "SELECT lang, sum(posts) AS n FROM firehose.languages_by_hour GROUP BY lang ORDER BY lang"
    )
    assert [line.split() for line in answer.stdout.splitlines()[2:]] == [["2"], ["en", "3"], ["fr", "1"]]
    assert answer.stdout.splitlines()[0].split() == ["lang", "n"]
    count, warning = answer.stderr.splitlines()
    assert re.fullmatch(r"3 rows in \d+\.\d\d s", count)
    assert "up to 0:55:00 (h:mm:ss) of posts, from 2026-11-23 21:00 to 2026-11-23 22:00 UTC" in warning


def test_summaries_bring_an_empty_clickhouse_up_to_date(empty: Client, small_lake: LakeBuilder) -> None:
    assert run("summaries").stderr.startswith("loaded 2 batches, ")
    assert run("migrate").stderr == "the schema is current\n"


def test_the_list_says_when_each_was_applied_and_what_differs(empty: Client, lake: LakeBuilder) -> None:
    files = len(read_migrations(SQL_FOLDER / "migrations"))
    assert [line.split()[-3:] for line in listed()] == [["to", "be", "applied"]] * files
    run("migrate")
    empty.command("INSERT INTO ops.migrations VALUES (99, '0099_later', 'x', '2026-11-23 20:00:00')")
    empty.command("ALTER TABLE ops.migrations DELETE WHERE number = 1 SETTINGS mutations_sync = 2")
    empty.command("INSERT INTO ops.migrations VALUES (1, '0001_ledger', 'x', '2026-11-23 20:00:00')")
    first, second, *_, last = listed()
    assert first.split() == ["1", "0001_ledger", "2026-11-23", "20:00:00", "edited", "since"]
    assert second.split()[-1] == "same"
    assert last.split() == ["99", "0099_later", "2026-11-23", "20:00:00", "not", "in", "this", "version"]


def listed() -> list[str]:
    """The lines of the list without its head."""
    return run("migrate", "--list").stdout.splitlines()[1:]


def test_a_format_is_passed_through_as_it_comes(empty: Client) -> None:
    statement = "SELECT number AS n, toString(n) AS s FROM numbers(3);"
    assert run("query", statement, "--format", "CSVWithNames").stdout == '"n","s"\n0,"0"\n1,"1"\n2,"2"\n'
    lines = run("query", "-", text="SELECT 1 AS a FORMAT JSONEachRow\n").stdout.splitlines()
    assert [json.loads(line) for line in lines] == [{"a": 1}]
    assert run("query", "SELECT 1", "--format", "Null").stdout == ""


def test_more_rows_than_a_page(empty: Client) -> None:
    out = run("query", "SELECT number FROM numbers(70000)", "--format", "TSV").stdout
    assert out.splitlines()[-1] == "69999"
    assert run("query", "SELECT number FROM numbers(1200)").stderr.startswith("1200 rows")


def test_values_of_strangers_do_not_steer_the_terminal(empty: Client) -> None:
    answer = run(
        "query", r"SELECT 'a\x1b[31mb\nc' AS s, repeat('y', 500) AS long, NULL AS n, [1, 2] AS l, ' ' AS u"
    )
    (row,) = answer.stdout.splitlines()[2:]
    assert "\x1b" not in answer.stdout
    assert row.split() == ["a", "[31mb", "c", "y" * 79 + "…", "ᴺᵁᴸᴸ", "[1,2]"]


@pytest.mark.parametrize("arguments", [[], ["--format", "CSV"]])
@pytest.mark.parametrize(
    ("statement", "message"),
    [
        ("SELEC 1", r"ClickHouse: Code 62: Syntax error: .*"),
        ("SELECT * FROM firehose.nothing", r"ClickHouse: Code (60|81): .*"),
        # Fails long after the first rows are there.
        ("SELECT throwIf(number = 3000000) FROM numbers(4000000)", r"ClickHouse: Code 395: .*"),
    ],
)
def test_an_error_is_one_line(empty: Client, statement: str, message: str, arguments: list[str]) -> None:
    with pytest.raises(FirehoseError) as raised:
        run("query", statement, *arguments)
    assert re.fullmatch(message, str(raised.value))
    assert "http" not in str(raised.value)


def test_the_analyst_may_not_write(client: Client, lake: LakeBuilder) -> None:
    with pytest.raises(FirehoseError, match=r"ClickHouse: Code (164|497): "):
        run("query", "TRUNCATE TABLE firehose.events_by_minute")


def test_a_wrong_password_names_the_setting(empty: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FIREHOSE_CLICKHOUSE_ANALYST_PASSWORD", "guess")
    with pytest.raises(
        FirehoseError, match=r"refuses user 'analyst': .*FIREHOSE_CLICKHOUSE_ANALYST_PASSWORD"
    ) as raised:
        run("query", "SELECT 1")
    assert not isinstance(raised.value, ServiceUnavailable)
    assert "guess" not in str(raised.value)
