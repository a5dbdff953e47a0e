"""Any hours rebuilt after any order of publications: equal rows, and counts that add up.

Rows are staged here without Great Expectations, which takes seconds and changes none.
"""

from __future__ import annotations

import json
import random
import re
import shutil
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from firehose import schema
from firehose.batch.drain import drain
from firehose.batch.interval import Batch
from firehose.lake import layout, recorded, users
from firehose.lake.ledger import read_ledger
from firehose.lake.publish import publish
from firehose.lake.rebuild import differing, rebuild
from firehose.lake.sides import EDGE_US
from firehose.lake.verify import verify
from firehose.quality.result import staged_folder
from firehose.settings import Settings
from firehose.store import LocalLake
from jetstream_simulator import generate
from tests.support.staging import stage

Fill = Callable[[Iterable[bytes], Batch], None]
HOUR = 494_452
HOURS = range(HOUR - 2, HOUR + 3)
LIKES = [
    line
    for line in generate.events(400, seed=3, start_us=HOUR * layout.HOUR_US, rate=5)
    if b'"collection":"app.bsky.feed.like"' in line
]


def stamped(line: bytes, time_us: int) -> bytes:
    return re.sub(rb'"time_us":\d+', b'"time_us":%d' % time_us, line)


def stored(lake: Path) -> dict[int, list[str]]:
    found: dict[int, list[str]] = {}
    for one in layout.hour_files(LocalLake(lake), schema.LIKES):
        found.setdefault(layout.hour_of_file(one), []).extend(map(str, pq.ParquetFile(one).read().to_pylist()))
    return {hour: sorted(rows) for hour, rows in found.items()}


def spread(chance: random.Random, batches: Sequence[Batch]) -> dict[Batch, list[bytes]]:
    """Events near two edges, each in one or more batches, with a time of its own in each."""
    given: dict[Batch, list[bytes]] = {batch: [] for batch in batches}
    for line in LIKES[:60]:
        edge = (HOUR + chance.choice((0, 1))) * layout.HOUR_US
        for batch in set(chance.choices(batches, k=chance.randint(1, 5))):
            given[batch].append(stamped(line, edge + chance.randrange(-EDGE_US, EDGE_US)))
    return given


def lose(lake: LocalLake, hour: int, *, record: bool) -> None:
    """All files of an hour, perhaps with all that is known of it but for the ledger."""
    for path in layout.hour_files(lake, schema.LIKES, hour):
        path.unlink()
    if record:
        recorded.folder_of(lake, hour).discard_all()


def lay_out(lake: LocalLake, chance: random.Random) -> None:
    """Some hours are by user: of some accounts with many events there, and some with none."""
    accounts = sorted({json.loads(line)["did"] for line in LIKES[:60]})
    for hour in HOURS:
        users.restore(lake, schema.LIKES, hour, chance.sample(accounts, chance.randint(0, 9)))


@pytest.mark.parametrize("seed", [*range(6), *range(100, 103)])
def test_rebuilt_hours_have_the_rows_they_had_after_any_order_of_batches(
    settings: Settings, batches: list[Batch], fill: Fill, seed: int
) -> None:
    chance, lake = random.Random(seed), settings.local_lake
    if seed >= 100:
        lay_out(lake, chance)
    for batch, lines in spread(chance, batches).items():
        fill(lines, batch)
    todo = [*batches, *chance.choices(batches, k=2)]
    chance.shuffle(todo)
    for batch in batches:
        drain(settings, batch)
    for batch in todo:
        shutil.rmtree(staged_folder(lake, batch), ignore_errors=True)
        stage(lake, batch, schema.LIKES, HOURS)
        publish(settings, batch)
    before, report = stored(lake), verify(lake)
    assert report.ok, report.problems
    counts = {entry.batch: entry.counts for entry in read_ledger(lake)}
    lost = chance.sample(sorted(before), chance.randint(1, len(before)))
    for hour in lost:
        lose(lake, hour, record=chance.random() < 0.5)
    assert sorted(differing(lake, HOURS)[schema.LIKES]) == sorted(lost)
    rebuild(lake, schema.LIKES, lost, reason="lost")
    assert stored(lake) == before
    assert {entry.batch: entry.counts for entry in read_ledger(lake)} == counts
    report = verify(lake)
    assert report.ok, report.problems
    # And the lake goes on from there as if nothing had been.
    for batch in chance.choices(batches, k=2):
        stage(lake, batch, schema.LIKES, HOURS)
        publish(settings, batch)
    assert stored(lake) == before
    report = verify(lake)
    assert report.ok, report.problems
