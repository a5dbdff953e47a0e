"""The lines of docs/other-tools.md for Iceberg: every tool sees the rows that the views have of closed hours."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any, NamedTuple

import duckdb
import msgspec
import polars
import pyarrow.compute as pc
import pytest
from clickhouse_connect.driver.client import Client
from pyiceberg.table import StaticTable

from firehose import schema
from firehose.lake import closed_form, layout
from firehose.lake.layout import HOUR_US
from firehose.lake.rowgroups import read_groups
from firehose.maintenance.run import Maintenance
from firehose.records.columns import INSTANT
from firehose.settings import Settings
from firehose.store import LocalLake
from firehose.warehouse.client import connect
from firehose.warehouse.migrate import migrate
from jetstream_simulator import generate
from tests.integration.warehouse.lakes import LakeBuilder, drop_databases
from tests.integration.warehouse.test_other_tools import PAGE, snippet

#: 3 February 2026, 04:10 to 06:26; the last hour stays open.
START_US = 1_770_091_800_000_000
OPEN_US = (START_US // HOUR_US + 2) * HOUR_US


class Shared(NamedTuple):
    """A lake with tables, and a loader's client of the engine with the views over it."""

    lake: Path
    client: Client

    def table(self, record_type: str) -> str:
        return f"{self.lake}/_iceberg/{record_type}"

    def line(self, tool: str, record_type: str) -> str:
        """The page's line for a tool, for another type and at the path of this lake."""
        (found,) = re.findall(rf"^\| {tool}[^|]*\| `(.*?)`", PAGE.read_text(), re.MULTILINE)
        return str(found).replace("~/tmp/bluesky_data/_iceberg/posts", self.table(record_type))


@pytest.fixture(scope="module")
def shared(engine: Settings) -> Iterator[Shared]:
    settings = msgspec.structs.replace(engine, lake=str(Path(engine.lake) / "iceberg"), iceberg=True)
    lake = LakeBuilder(settings.local_lake)
    written = lake.store(map(msgspec.json.decode, generate.events(2000, seed=4, start_us=START_US, rate=0.245)))
    lake.close(sorted(written)[:-1])
    done = Maintenance(settings, "a test").share()
    assert done and done.taken and not done.behind
    with closing(connect(settings)) as client:
        drop_databases(client)
        migrate(client, settings)
        yield Shared(lake.root, client)
        drop_databases(client)


def views(shared: Shared) -> dict[str, tuple[int, int]]:
    """By type: rows of the hours that are closed, and the sum of their times."""
    found = {}
    for record_type in schema.EVENT_TYPES:
        ask = f"SELECT count(), sum(time_us) FROM firehose.{record_type} WHERE time_us < {OPEN_US}"
        found[record_type] = tuple(shared.client.query(ask).result_rows[0])
    return {record_type: counted for record_type, counted in found.items() if counted[0]}


def asked(shared: Shared, *queries: str) -> list[list[Any]]:
    """The first row of each answer of an engine that runs in a folder around the tables: ours opens views only."""
    script = f"import chdb; [print(chdb.query(ask, 'JSONCompactEachRow')) for ask in {queries!r}]"
    done = subprocess.run([sys.executable, "-c", script], cwd=shared.lake, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return [msgspec.json.decode(line) for line in done.stdout.splitlines() if line]


def by_clickhouse(shared: Shared, types: Sequence[str]) -> Iterator[tuple[Any, ...]]:
    rows = asked(shared, *(shared.line("ClickHouse", record_type) for record_type in types))
    return (tuple(map(int, row)) for row in rows)


def by_polars(shared: Shared, types: Sequence[str]) -> Iterator[tuple[Any, ...]]:
    for record_type in types:
        rows = eval(shared.line("polars", record_type), {"polars": polars})  # noqa: S307 - our own page
        yield tuple(rows.row(0))


def by_pyiceberg(shared: Shared, types: Sequence[str]) -> Iterator[tuple[Any, ...]]:
    for record_type in types:
        rows = eval(shared.line("pyiceberg", record_type), {"StaticTable": StaticTable})  # noqa: S307
        yield len(rows), pc.sum(rows["time_us"]).as_py()


def by_duckdb(shared: Shared, types: Sequence[str]) -> Iterator[tuple[Any, ...]]:
    with duckdb.connect(config={"autoinstall_known_extensions": False}) as connection:
        try:
            connection.load_extension("iceberg")
        except duckdb.Error:
            pytest.skip("DuckDB's Iceberg extension is not installed: it is downloaded")
        for record_type in types:
            yield tuple(connection.execute(shared.line("DuckDB", record_type)).fetchall()[0])


@pytest.mark.parametrize("read", [by_clickhouse, by_polars, by_pyiceberg, by_duckdb])
def test_every_tool_counts_as_the_views_do(
    shared: Shared, read: Callable[[Shared, Sequence[str]], Iterator[tuple[Any, ...]]]
) -> None:
    truth = views(shared)
    assert {schema.POSTS, schema.LIKES, schema.FOLLOWS, schema.ACCOUNTS, schema.OTHER} <= truth.keys()
    assert dict(zip(truth, read(shared, list(truth)), strict=True)) == truth


@pytest.mark.parametrize("record_type", [schema.POSTS, schema.LIKES, "profiles", schema.ACCOUNTS])
def test_the_columns_are_those_that_every_row_has_as_it_is(shared: Shared, record_type: str) -> None:
    table = StaticTable.from_metadata(shared.table(record_type))
    names = [field.name for field in table.schema().fields]
    five = {"tid_us", "rev", "cid", "reply_parent_cid"} | (
        {"created_at"} if record_type == schema.LIKES else set()
    )
    assert names.pop(0) == "hour_start"
    assert set(names) == set(schema.SCHEMAS[record_type].names) - five
    assert set(names) <= set(closed_form.schema(record_type).names)
    plain = [
        row
        for path in layout.hour_files(LocalLake(shared.lake), record_type)
        if (layout.file_of(path).hour + 1) * HOUR_US <= OPEN_US
        for rows in read_groups(path, record_type)
        for row in rows.select(names).to_pylist()
    ]
    rows = table.scan().to_arrow()
    assert pc.all(
        pc.equal(pc.floor_temporal(rows["time_us"].cast(INSTANT), unit="hour"), rows["hour_start"])
    ).as_py()
    assert sorted(map(repr, rows.select(names).to_pylist())) == sorted(map(repr, plain)) != []


def test_a_condition_on_time_opens_the_hours_that_it_needs(shared: Shared) -> None:
    ask = snippet("Iceberg", "sql").replace("~/tmp/bluesky_data", str(shared.lake)).replace(";", "")
    ((start, counted),) = asked(shared, ask)
    assert start == "2026-02-03 05:00:00.000000"
    hour = OPEN_US - HOUR_US
    (truth,) = shared.client.query(
        f"SELECT count() FROM firehose.posts WHERE time_us BETWEEN {hour} AND {OPEN_US}"
    ).result_rows
    assert int(counted) == truth[0] > 0
    table = StaticTable.from_metadata(shared.table(schema.POSTS))
    assert len(list(table.scan(f"time_us >= {hour}").plan_files())) == 1
    assert len(list(table.scan("hour_start >= '2026-02-03T05:00:00+00:00'").plan_files())) == 1
    assert len(list(table.scan().plan_files())) == 2
