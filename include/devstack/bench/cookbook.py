"""``firehose bench cookbook``: each recipe on a simulated day; where it asks tables, the lake beside.

The lake's queries (``on_the_lake``) are baselines: what the recipe would be without tables of events. A test
compares their answers. Must not: contain recipes.
"""

from __future__ import annotations

import statistics
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Sequence
from contextlib import closing
from itertools import groupby
from pathlib import Path
from typing import Final

import msgspec
from clickhouse_connect.driver.client import Client

from devstack.bench import simulated
from devstack.bench.listing import of_own
from devstack.bench.query import stored_batches
from devstack.embedded import clickhouse
from firehose.batch.interval import Batch
from firehose.errors import FirehoseError, ServiceUnavailable
from firehose.lake import ledger
from firehose.settings import Settings
from firehose.store import LocalLake
from firehose.warehouse.client import clickhouse_errors, connect
from firehose.warehouse.cookbook import Recipe, recipes
from firehose.warehouse.migrate import migrate
from firehose.warehouse.summaries import refresh

#: The same questions without the tables of events, by the names of the recipes.
ON_THE_LAKE: Final = Path(__file__).parent / "on_the_lake"
_LITTLE: Final = 64 * 2**20
_COUNTED: Final = """
SELECT sumIf(value, event = 'SelectedRows'), sumIf(value, event = 'ReadBufferFromFileDescriptorReadBytes')
FROM system.events
"""
_PEAK: Final = "SELECT max(peak_memory_usage) FROM system.processes WHERE query NOT LIKE '%system.processes%'"


class Figures(msgspec.Struct, frozen=True, kw_only=True):
    """Seconds by HTTP of the first run, and the median of hot ones; rows read, bytes read from files.

    By the client's clock.

    ``peak_mib``: the engine's own count, 0 where the query ended before it could be looked at. ``error``: why
    the query failed, so that it has no figures.
    """

    first_s: float = 0.0
    hot_s: float = 0.0
    rows: int = 0
    read_mb: float = 0.0
    peak_mib: float = 0.0
    error: str = ""


class CookbookReport(msgspec.Struct, frozen=True, kw_only=True):
    """Figures by recipe: as it is, and ``on_the_lake`` for those that ask tables of events."""

    name: str
    events: int
    seconds: dict[str, float]
    recipes: dict[str, Figures]
    on_the_lake: dict[str, Figures]


def bench_cookbook(events: int, hours: int, rounds: int, names: Sequence[str] = ()) -> CookbookReport:
    """Measure on the first ``hours`` of a day of ``events`` events; each is asked ``rounds`` times when hot.

    ``names``: the recipes to measure; all of them if empty.

    Raises:
        FirehoseError: no recipe has such a name.
    """
    wanted = chosen(names)
    with tempfile.TemporaryDirectory(prefix="firehose-bench-") as name:
        settings = of_own(Path(name, "home"), str(Path(name, "lake")))
        began = time.monotonic()
        total = make_day(settings.local_lake, events, hours)
        made = time.monotonic()
        with clickhouse.start(settings):
            load(settings)
            loaded = time.monotonic()
            asked, on_the_lake = measure(settings, wanted, rounds)
    seconds = {"make the day": round(made - began, 1), "load it": round(loaded - made, 1)}
    return CookbookReport(name="cookbook", events=total, seconds=seconds, recipes=asked, on_the_lake=on_the_lake)


def chosen(names: Sequence[str]) -> list[Recipe]:
    """The recipes of these names; all of them where none is named.

    Raises:
        FirehoseError: no recipe has such a name.
    """
    there = {recipe.name: recipe for recipe in recipes()}
    if unknown := [name for name in names if name not in there]:
        raise FirehoseError(f"no recipe is named {', '.join(unknown)}; there are {', '.join(there)}")
    return [there[name] for name in names or there]


def make_day(lake: LocalLake, events: int, hours: int) -> int:
    """Write the files of a day's first hours, and the ledger's entries of its batches. Returns how many events."""
    total: Counter[str] = Counter()
    for hour, lines in groupby(simulated.day(events, hours), key=lambda line: line.hour):
        for entry in stored_batches(lake, hour, [*lines]):
            total.update({kind: counts.stored for kind, counts in entry.counts.items()})
            ledger.write_entry(ledger.entry_path(lake, Batch(entry.start, entry.end)), entry)
    return total.total()


def load(settings: Settings) -> None:
    """Load the whole day, and let the engine merge its tables as it does in time."""
    with closing(connect(settings)) as client:
        migrate(client, settings)
        refresh(settings)
        query = "SELECT DISTINCT concat(database, '.', table) FROM system.parts WHERE active"
        for (table,) in client.query(f"{query} AND database IN ('firehose', 'ops')").result_rows:
            client.command(f"OPTIMIZE TABLE {table} FINAL")


def measure(
    settings: Settings, wanted: Sequence[Recipe], rounds: int
) -> tuple[dict[str, Figures], dict[str, Figures]]:
    """The figures of each of these recipes, and of its baseline."""
    paths = [ON_THE_LAKE / f"{recipe.name}.sql" for recipe in wanted]
    baselines = {path.stem: path.read_text(encoding="utf-8") for path in paths if path.exists()}
    with closing(connect(settings)) as client:
        asked = {recipe.name: _measured(client, settings, recipe.sql, rounds) for recipe in wanted}
        on_the_lake = {name: _measured(client, settings, sql, rounds) for name, sql in baselines.items()}
    return asked, on_the_lake


def _measured(client: Client, settings: Settings, sql: str, rounds: int) -> Figures:
    try:
        with clickhouse_errors():
            return _figures(client, settings, sql, rounds)
    except ServiceUnavailable:
        raise
    except FirehoseError as error:
        return Figures(error=str(error))


def _figures(client: Client, settings: Settings, sql: str, rounds: int) -> Figures:
    (before,) = client.query(_COUNTED).result_rows
    first = _seconds(client, sql)
    (after,) = client.query(_COUNTED).result_rows
    rows, read = (int(end) - int(start) for start, end in zip(before, after, strict=True))
    return Figures(
        first_s=round(first, 4),
        hot_s=round(statistics.median(_seconds(client, sql) for _ in range(rounds)), 4),
        rows=rows,
        read_mb=round(read / 1e6, 2),
        peak_mib=round(_peak(client, settings, sql) / 2**20, 1),
    )


def _seconds(client: Client, sql: str) -> float:
    began = time.perf_counter()
    client.query(sql)
    return time.perf_counter() - began


def _number(client: Client, query: str) -> int:
    return int(str(client.command(query) or 0))


def _peak(client: Client, settings: Settings, sql: str) -> int:
    """The most memory that the engine counts for a query while it runs."""
    peak = 0
    query = threading.Thread(target=client.query, args=(sql,))
    with closing(connect(settings)) as beside:
        query.start()
        # With little memory of its own: the endpoint grants what is left to the query that is watched.
        beside.set_client_setting("max_memory_usage", _LITTLE)
        while query.is_alive():
            peak = max(peak, _number(beside, _PEAK))
        query.join()
    return peak
