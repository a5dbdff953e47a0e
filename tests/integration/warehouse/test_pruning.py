"""What each recipe of the cookbook reads: its ``Reads`` line against the engine's plan and the files it opens.

Over a lake with days that recipes are to pass by, and tables with many more rows than these days' events have, of
accounts, posts and hours that no recipe asks for. What the engine computes before it plans, such as the latest
day, is in no plan.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final

import msgspec
import pytest
from clickhouse_connect.driver.client import Client

from firehose import schema
from firehose.batch.interval import Batch
from firehose.events.envelope import Undecodable
from firehose.quality.quarantine import Quarantine, quarantine_path
from firehose.settings import Settings
from firehose.warehouse.client import connect
from firehose.warehouse.cookbook import Read, Recipe, recipes
from firehose.warehouse.migrate import migrate
from firehose.warehouse.summaries import refresh
from jetstream_simulator.generate import Generator
from tests.integration.warehouse.gaps import gap, write
from tests.integration.warehouse.lakes import LakeBuilder, forget
from tests.integration.warehouse.test_views import files_opened

LAST: Final = datetime(2026, 5, 30, 2, tzinfo=UTC)
#: The hours with events: of the days that are asked for, and of older ones.
HOURS: Final = tuple(
    LAST - back for back in (timedelta(40), timedelta(9), timedelta(1), timedelta(hours=1), timedelta(0))
)
EVENTS: Final = 2_000
DAY: Final = f"toDate('{LAST.date()}')"
#: Others' rows of the latest day.
FILLING: Final = (
    "ops.edges (day, hour, at, kind, target, collection, target_record, account, record_after, change)"
    f" SELECT {DAY}, {DAY}, {DAY}, 'like', cityHash64(number), 'app.bsky.feed.post', number, number, 0, 1"
    " FROM numbers(3000000)",
    "ops.events (day, hour, at, account, type, operation, collection, record_after, rev_after, resync)"
    f" SELECT {DAY}, {DAY}, {DAY}, cityHash64(number), 'likes', 'create', 'app.bsky.feed.like', 0, 0, false"
    " FROM numbers(1500000)",
    f"ops.accounts_by_day SELECT {DAY}, number, 'likes', 'app.bsky.feed.like',"
    f" if(number % 2, 'create', 'delete'), false, 1, {DAY}, {DAY} FROM numbers(200000)",
    f"ops.names SELECT {DAY}, cityHash64(number), toString(number) FROM numbers(1500000)",
    "ops.post_texts (day, hour, at, did, rkey, operation, text, words)"
    f" SELECT {DAY}, toDateTime({DAY}, 'UTC') + toIntervalHour(number % 24) AS begun, begun,"
    " concat('did:plc:x', toString(number)), '', 'create', 'tea', 'tea' FROM numbers(200000)",
)
#: Sets that the engine needs for an index, or to read less, are made before the plan, which then lacks them.
NO_SETS: Final = dict.fromkeys(
    ("use_index_for_in_with_subqueries", "optimize_move_to_prewhere", "query_plan_optimize_prewhere"), 0
)
#: Tables that it reads before the plan is made, or so far as its caller reads it then.
OF_TOP_RECORDS: Final = {"ops.engagement_by_hour", "ops.edges", "ops.names"}
RECIPES: Final = recipes()


@pytest.fixture(scope="module")
def asked(engine: Settings) -> Settings:
    """Settings of a lake that is loaded, whose tables have many other rows."""
    settings = msgspec.structs.replace(engine, lake=str(Path(engine.lake) / "pruned"))
    lake, generator = LakeBuilder(settings.local_lake), Generator(seed=3)
    for hour in HOURS:
        start_us = int(hour.timestamp()) * 1_000_000
        events = [msgspec.json.decode(generator.event(start_us + n * 1_000_000)) for n in range(EVENTS)]
        lake.publish(hour, lake.store(events))
    lake.close(HOURS[:1])
    write(lake, HOURS[0], gap(HOURS[0], 1))
    batch = Batch.parse("20260529T200000Z", 300)
    with Quarantine(batch, quarantine_path(settings.local_lake, batch)) as quarantine:
        quarantine.add_undecodable("posts", [Undecodable("no event", b"x")])
    client = connect(settings)
    migrate(client, settings)
    forget(client)
    refresh(settings)
    for statement in FILLING:
        client.command(f"INSERT INTO {statement}")
    client.close()
    return settings


@pytest.fixture(scope="module")
def loader(asked: Settings) -> Iterator[Client]:
    client = connect(asked)
    yield client
    client.close()


def test_every_recipe_says_what_it_reads() -> None:
    assert not [recipe.name for recipe in RECIPES if not recipe.reads]


@pytest.mark.parametrize("recipe", RECIPES, ids=lambda recipe: recipe.name)
def test_tables_are_skipped_as_a_recipe_says(loader: Client, recipe: Recipe) -> None:
    said = {read.source: read.by for read in recipe.each_read() if read.of_table}
    found = tables(loader, recipe.sql)
    before = OF_TOP_RECORDS if "top_records(" in recipe.sql else set()
    assert found.keys() <= said.keys() <= found.keys() | before
    for table, places in found.items():
        by = said[table]
        assert by or not all(places), f"{table} is nowhere read whole: {places}"
        for either in by:
            assert all(skipped.intersection(either.split(" or ")) for skipped in places), f"{table}: {places}"


@pytest.mark.parametrize("recipe", RECIPES, ids=lambda recipe: recipe.name)
def test_files_are_opened_as_a_recipe_says(asked: Settings, loader: Client, recipe: Recipe) -> None:
    files = [file for read in recipe.each_read() if not read.of_table for file in files_of(asked, read)]
    opened = files_opened(loader, recipe.sql)
    # None is opened that has no such row by its type alone, such as identities for a question about creates.
    assert opened <= len(files)
    assert bool(opened) == bool(files)


def tables(client: Client, sql: str) -> dict[str, list[set[str]]]:
    """By what the plan skips parts or granules of each table, in each place where it reads it."""
    return planned(client, sql, NO_SETS) | planned(client, sql, {})


def planned(client: Client, sql: str, settings: dict[str, int]) -> dict[str, list[set[str]]]:
    """The same of the plan that the engine makes with these settings."""
    (plan,) = json.loads(client.raw_query(f"EXPLAIN json = 1, indexes = 1 {sql}", settings=settings, fmt="TSVRaw"))
    found: dict[str, list[set[str]]] = {}
    for node in nodes(plan["Plan"]):
        if node["Node Type"] == "ReadFromMergeTree":
            skipped = {name_of(index) for index in node.get("Indexes", []) if skips(index)}
            found.setdefault(node["Description"], []).append(skipped)
    return found


def nodes(node: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """A node of a plan, and all below it."""
    yield node
    for below in node.get("Plans", []):
        yield from nodes(below)


def skips(index: dict[str, Any]) -> bool:
    """Whether an index rules anything out."""
    return bool(
        index["Selected Parts"] < index["Initial Parts"] or index["Selected Granules"] < index["Initial Granules"]
    )


def name_of(index: dict[str, Any]) -> str:
    """An index as recipes name it."""
    kinds = {"Min-Max": "partition", "Partition": "partition", "PrimaryKey": "key"}
    return kinds.get(index["Type"]) or f"index {index.get('Name', index['Type'])}"


def files_of(settings: Settings, read: Read) -> list[Path]:
    """The files of a record type, or of all, that a recipe says that it opens, each as often."""
    root = settings.local_lake
    if read.source == "quarantine":
        return [*Path(root).glob("_quarantine/date=*/batch=*/quarantine.parquet")]
    types = schema.TYPES if read.source == "events" else (read.source,)
    files = []
    for hour in HOURS:
        number, _, unit = read.span.partition(" ")
        in_days = unit.startswith("day") and LAST.date() - hour.date() < timedelta(int(number))
        if not read.span or in_days or (unit == "hour" and hour == LAST):
            files += [LakeBuilder(root).folder(hour) / f"{name}.parquet" for name in types]
    return [file for file in files if file.exists()] * read.times
