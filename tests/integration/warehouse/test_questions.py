"""What people ask of Bluesky data, through the endpoint, against DuckDB on the Parquet files.

Some hours are closed in the lake that the endpoint reads; DuckDB reads a copy in which all are open.

Over simulated events in which people like, unlike and like again, follow, edit, delete, write again under a key,
and share the same links and tags in many spellings. At their end a resync sends what some accounts have again:
DuckDB does not see it, so the cookbook's answers must be those of before.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import duckdb
import msgspec
import pytest
from clickhouse_connect.driver.client import Client

from devstack.bench.cookbook import ON_THE_LAKE
from firehose.batch.interval import Batch
from firehose.events.envelope import Undecodable
from firehose.quality.quarantine import Quarantine, quarantine_path
from firehose.settings import Settings
from firehose.warehouse.client import connect
from firehose.warehouse.cookbook import recipes
from firehose.warehouse.migrate import migrate
from firehose.warehouse.summaries import refresh
from ingester.contract.resyncs import MARK
from jetstream_simulator.generate import Generator
from jetstream_simulator.identifiers import tid
from tests.integration.warehouse import answers
from tests.integration.warehouse.gaps import gap, write
from tests.integration.warehouse.lakes import LakeBuilder, forget

#: Seconds between events, and how many: two slow days and a busy one. Of few hours, since each is loaded by
#: queries of its own, which take longer than its events.
DAYS = ((2.0, 9_000), (2.0, 9_000), (1.0, 16_000))
START = datetime(2026, 5, 28, 0, 30, tzinfo=UTC)
#: Without the tables of events counts of accounts are merged from states, and are estimates.
_ESTIMATED = {"01_what_is_there", "04_active_accounts", "18_active_accounts_of_spans"}
#: What tables tell otherwise than the lake: likes and answers taken back, a tree of answers as they were made.
_TOLD_OTHERWISE = {"10_longest_threads", "23_alternative_texts", "31_thread_tree"}
ON_THE_LAKE_ALONE = {path.stem: path.read_text() for path in sorted(ON_THE_LAKE.glob("*.sql"))}
RECIPES = {recipe.name: recipe for recipe in recipes()}


@pytest.fixture(scope="module")
def home(engine: Settings) -> Settings:
    """Settings whose lake has three simulated days, loaded; some hours are closed."""
    settings = msgspec.structs.replace(engine, lake=str(Path(engine.lake) / "asked"))
    lake = LakeBuilder(settings.local_lake)
    events = list(simulated())
    hours = lake.store([*events, *resync(events)])
    for hour, types in hours.items():
        lake.publish(hour + timedelta(minutes=55), {hour: types})
    lose(lake)
    shutil.copytree(lake.root, opened(settings))
    lake.close(hour for hour in hours if hour.hour % 3 == 0)
    batch = Batch.parse("20260529T200000Z", 300)
    with Quarantine(batch, quarantine_path(settings.local_lake, batch)) as quarantine:
        quarantine.add_undecodable("posts", [Undecodable("no event", b"x")])
    client = connect(settings)
    migrate(client, settings)
    forget(client)  # the tables of events keep what other tests have loaded
    refresh(settings)
    client.close()
    return settings


def lose(lake: LakeBuilder) -> None:
    """Batches for all of three hours of the last day, and gaps in them; of other hours there is one batch."""
    first = (START + timedelta(days=2)).replace(hour=2, minute=0)
    for minute in range(0, 180, 5):
        if minute % 60 < 55:
            lake.publish(first + timedelta(minutes=minute), {})
    open_ones = (gap(first, 12, queue="likes"), gap(first, 20, "of posts", queue="posts"))
    write(lake, first, *open_ones, gap(first + timedelta(hours=5), 30, filled="archive"))


def opened(settings: Settings) -> Path:
    """The copy of the lake in which no hour is closed."""
    return settings.local_lake.with_name("asked-open")


def simulated() -> Iterator[dict[str, Any]]:
    generator = Generator(seed=22)
    for number, (apart, events) in enumerate(DAYS):
        first_us = int((START + timedelta(days=number)).timestamp()) * 1_000_000
        for n in range(events):
            yield msgspec.json.decode(generator.event(first_us + int(n * apart * 1e6)))


def resync(events: list[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    """What stands of every third account, sent again within the minute of the last event."""
    last_us = max(event["time_us"] for event in events)
    standing: dict[tuple[str, str, str], dict[str, Any]] = {}
    for event in events:
        if commit := event.get("commit"):
            standing[event["did"], commit["collection"], commit["rkey"]] = event
    accounts = sorted({event["did"] for event in events})[::3]
    for event in standing.values():
        commit = event["commit"]
        if event["did"] in accounts and commit["operation"] != "delete":
            again = {**commit, "operation": "create", "rev": tid(last_us + 1_000_000, 9), MARK: True}
            yield {**event, "time_us": last_us + 1_000_000, "commit": again}


@pytest.fixture(scope="module")
def analyst(home: Settings) -> Iterator[Client]:
    client = connect(home, "analyst")
    yield client
    client.close()


@pytest.fixture(scope="module")
def duck(home: Settings) -> Iterator[duckdb.DuckDBPyConnection]:
    with answers.connected(opened(home)) as duck:
        yield duck


def plain(value: Any) -> Any:
    """A value as both engines' clients would give it."""
    if isinstance(value, datetime):
        return value.astimezone(UTC) if value.tzinfo else value.replace(tzinfo=UTC)
    if isinstance(value, date):
        return datetime(value.year, value.month, value.day, tzinfo=UTC)
    return value


def near(value: Any, *, estimated: bool) -> Any:
    """What is right where ``value`` was found: shares may be rounded otherwise, estimates are a percent off."""
    if estimated and isinstance(value, int | float):
        return pytest.approx(value, rel=0.01)
    return pytest.approx(value, abs=1.1e-4) if isinstance(value, float) else value


def test_every_recipe_has_an_answer_of_its_own() -> None:
    answered = {path.stem for path in answers.FOLDER.glob("*.sql")} - {"prepare"}
    assert answered == RECIPES.keys()


@pytest.mark.parametrize("name", sorted(RECIPES))
def test_an_answer_is_the_one_of_the_files(analyst: Client, duck: duckdb.DuckDBPyConnection, name: str) -> None:
    found = [tuple(map(plain, row)) for row in analyst.query(RECIPES[name].sql).result_rows]
    assert found, "the simulated events do not show what this recipe is about"
    wanted = [tuple(map(plain, row)) for row in answers.answer(duck, name)]
    if name == "12_lag":  # quantiles have more than one definition; the rows are the question
        found = [row[:2] for row in found]
    assert [tuple(near(value, estimated=False) for value in row) for row in found] == wanted


@pytest.mark.parametrize("name", sorted(ON_THE_LAKE_ALONE))
def test_the_lake_alone_answers_the_same_question(analyst: Client, name: str) -> None:
    """What ``firehose bench cookbook`` sets beside a recipe."""
    rows = analyst.query(RECIPES[name].sql).result_rows
    beside = analyst.query(ON_THE_LAKE_ALONE[name]).result_rows
    if name in _TOLD_OTHERWISE:
        assert beside
        return
    estimated = name in _ESTIMATED
    assert [tuple(near(value, estimated=estimated) for value in row) for row in beside] == [*map(tuple, rows)]
