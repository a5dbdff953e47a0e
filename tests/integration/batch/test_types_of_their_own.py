"""Types that share a queue: what a version stored as ``other`` that did not know them stays, and stays once.

Rows are staged here without Great Expectations, which takes seconds and changes none.
"""

from __future__ import annotations

import random
import re
import shutil
from collections.abc import Callable, Iterable, Sequence
from functools import cache
from pathlib import Path

import msgspec
import pyarrow.parquet as pq
import pytest

from firehose import schema
from firehose.batch.drain import drain
from firehose.batch.interval import Batch
from firehose.errors import NotStaged
from firehose.lake import commit, layout
from firehose.lake.ledger import LedgerCounts, entry_path, read_entry, write_entry
from firehose.lake.publish import publish
from firehose.lake.rebuild import differing, rebuild
from firehose.lake.sides import EDGE_US
from firehose.lake.verify import verify
from firehose.quality.result import read_result, slice_path, staged_folder, staged_path, write_result
from firehose.quality.validate import validate
from firehose.records.registry import BY_COLLECTION, BY_QUEUE, FIRST_TYPES
from firehose.settings import Settings
from firehose.store import LocalLake
from ingester.contract import wire
from jetstream_simulator import generate
from tests.support.copies import Boundaries, Killed
from tests.support.frames import queue_of
from tests.support.staging import stage_queue

Fill = Callable[[Iterable[bytes], Batch], None]
HOUR = 494_452
HOURS = range(HOUR - 1, HOUR + 2)
SHARED = [of.name for of in BY_QUEUE[wire.OTHER]]


@cache
def of_the_queue() -> list[bytes]:
    """Events of every type of the queue. Of many that are made few are: not in each process that imports this."""
    made = generate.events(40_000, seed=3, start_us=HOUR * layout.HOUR_US, rate=30)
    return [line for line in made if queue_of(line) == wire.OTHER and len(line) < 5_000]


def type_of(line: bytes) -> str:
    return BY_COLLECTION.get(msgspec.json.decode(line)["commit"]["collection"], schema.OTHER)


def mixed(count: int) -> list[bytes]:
    """Events of all types of the queue, about as many of each."""
    found: dict[str, list[bytes]] = {}
    for line in of_the_queue():
        found.setdefault(type_of(line), []).append(line)
    assert set(found) == set(SHARED)
    return [line for lines in found.values() for line in lines[: count // len(SHARED)]]


def stamped(line: bytes, time_us: int) -> bytes:
    return re.sub(rb'"time_us":\d+', b'"time_us":%d' % time_us, line)


def stored(lake: Path) -> dict[str, list[tuple[str, ...]]]:
    """Revision, key, operation and batch of each row, by type of its file, whatever the hour."""
    columns = ["rev", "rkey", "operation", "batch"]
    rows = {
        name: [
            row
            for path in layout.hour_files(LocalLake(lake), name)
            for row in pq.ParquetFile(path).read(columns).to_pylist()
        ]
        for name in SHARED
    }
    return {name: sorted(tuple(map(str, row.values())) for row in of_type) for name, of_type in rows.items()}


def counts_of(lake: Path, batch: Batch) -> dict[str, LedgerCounts]:
    entry = read_entry(LocalLake(entry_path(lake, batch)))
    assert entry is not None
    return entry.counts


def publish_as_before(settings: Settings, batch: Batch, monkeypatch: pytest.MonkeyPatch) -> None:
    """As the version did that knew one type a queue: its rows, its notes, its entry."""
    lake = settings.local_lake
    shutil.rmtree(staged_folder(lake, batch), ignore_errors=True)
    stage_queue(lake, batch, wire.OTHER, HOURS, FIRST_TYPES)
    with monkeypatch.context() as patched:
        patched.setattr(commit, "shares_queue", lambda _: ())
        publish(settings, batch)
    path = entry_path(lake, batch)
    entry = read_entry(path)
    assert entry is not None
    write_entry(path, msgspec.structs.replace(entry, types=[]))


def publish_now(settings: Settings, batch: Batch) -> None:
    shutil.rmtree(staged_folder(settings.local_lake, batch), ignore_errors=True)
    stage_queue(settings.local_lake, batch, wire.OTHER, HOURS)
    publish(settings, batch)


def assert_sound(lake: Path) -> None:
    report = verify(LocalLake(lake))
    assert report.ok, report.problems


def spread(chance: random.Random, batches: Sequence[Batch]) -> dict[Batch, list[bytes]]:
    """Events near an edge, each in one or more batches, with a time of its own in each."""
    given: dict[Batch, list[bytes]] = {batch: [] for batch in batches}
    for line in mixed(50):
        for batch in set(chance.choices(batches, k=chance.randint(1, 3))):
            time_us = HOUR * layout.HOUR_US + chance.randrange(-EDGE_US, EDGE_US)
            given[batch].append(stamped(line, time_us))
    return given


@pytest.mark.parametrize("seed", range(4))
def test_an_upgrade_in_the_middle_of_any_order_keeps_each_event_once(
    settings: Settings, batches: list[Batch], fill: Fill, seed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    chance, lake = random.Random(seed), settings.local_lake
    given = spread(chance, batches)
    for batch in batches:
        fill(given[batch], batch)
    for batch in batches:
        drain(settings, batch)
    for batch in chance.sample(batches, 3):
        publish_as_before(settings, batch, monkeypatch)
        assert_sound(lake)
    rerun = chance.sample(batches, len(batches))  # a batch that no run is cleared of keeps its rows where they are
    todo = [*(batch for batch in batches if not entry_path(lake, batch).exists()), *rerun[:3]]
    boundaries = Boundaries(monkeypatch)
    for batch in chance.sample(todo, len(todo)):
        boundaries.left = chance.choice((-1, chance.randint(1, 60)))
        try:
            publish_now(settings, batch)
        except Killed:
            boundaries.left = -1
            publish_now(settings, batch)
        boundaries.left = -1
        assert_sound(lake)
    first: dict[bytes, Batch] = {}
    for batch in batches:
        for line in given[batch]:
            first.setdefault(stamped(line, 0), batch)
    wanted = sorted((_identity(line), str(batch.start)) for line, batch in first.items())
    found = [row for rows in stored(lake).values() for row in rows]
    assert sorted((row[:3], row[3]) for row in found) == wanted
    assert not _of_own_type(stored(lake)[schema.OTHER], first, {str(batch.start) for batch in rerun[:3]})
    _assert_rebuilt(lake, chance)


def _identity(line: bytes) -> tuple[str, ...]:
    event = msgspec.json.decode(line)["commit"]
    return event["rev"], event["rkey"], event["operation"]


def _of_own_type(rows: list[tuple[str, ...]], events: Iterable[bytes], batches: set[str]) -> list[tuple[str, ...]]:
    """Rows of these batches that are of events with a type of their own."""
    own = {_identity(line) for line in events if type_of(line) != schema.OTHER}
    return [row for row in rows if row[:3] in own and row[3] in batches]


def _assert_rebuilt(lake: Path, chance: random.Random) -> None:
    """The files of a type, of either version, can be made again from the raw batches."""
    before = stored(lake)
    for name in (schema.OTHER, chance.choice(SHARED[:-1])):
        paths = layout.hour_files(LocalLake(lake), name)
        for path in chance.sample(paths, chance.randint(1, len(paths))):
            path.unlink()
        ((record_type, hours),) = differing(LocalLake(lake), list(HOURS)).items()
        assert record_type == name
        rebuild(LocalLake(lake), name, hours, reason="lost")
        assert stored(lake) == before
    assert_sound(lake)


@pytest.mark.parametrize("ledger", [True, False], ids=["published", "died before its entry"])
def test_a_rerun_moves_a_batchs_rows_and_counts(
    settings: Settings, batches: list[Batch], fill: Fill, monkeypatch: pytest.MonkeyPatch, ledger: bool
) -> None:
    lake = settings.local_lake
    # In the later hour there are profiles only.
    lines = [stamped(line, (HOUR + (type_of(line) == "profiles")) * layout.HOUR_US + 5) for line in mixed(30)]
    only_profiles = [line for line in lines if type_of(line) == "profiles"]
    for batch, given in ((batches[0], lines), (batches[1], only_profiles)):
        fill(given, batch)
    for batch in batches[:2]:
        drain(settings, batch)
    publish_as_before(settings, batches[0], monkeypatch)
    assert [name for name, rows in stored(lake).items() if rows] == [schema.OTHER]
    # A copy, by a replay, of what an earlier version stored is a duplicate of it.
    publish_now(settings, batches[1])
    assert counts_of(lake, batches[1])["profiles"].duplicates == len(only_profiles)
    assert [name for name, rows in stored(lake).items() if rows] == [schema.OTHER]
    if not ledger:
        entry_path(lake, batches[0]).unlink()
    publish_now(settings, batches[0])
    rows = stored(lake)
    assert {name: len(rows[name]) for name in SHARED} == {
        name: sum(type_of(line) == name for line in lines) for name in SHARED
    }
    counts = counts_of(lake, batches[0])
    assert sum(count.stored for count in counts.values()) == len(lines)
    assert counts["profiles"].stored == len(rows["profiles"]) > 0
    assert_sound(lake)


def test_a_copy_in_an_older_file_is_displaced_by_an_earlier_batch(
    settings: Settings, batches: list[Batch], fill: Fill, monkeypatch: pytest.MonkeyPatch
) -> None:
    lake = settings.local_lake
    lines = [line for line in mixed(30) if type_of(line) == "listitems"]
    edge = HOUR * layout.HOUR_US
    fill([stamped(line, edge + 5) for line in lines], batches[0])
    fill([stamped(line, edge - 5) for line in lines], batches[1])
    for batch in batches[:2]:
        drain(settings, batch)
    publish_as_before(settings, batches[1], monkeypatch)
    publish_now(settings, batches[0])
    assert [name for name, rows in stored(lake).items() if rows] == ["listitems"]
    assert counts_of(lake, batches[0])["listitems"].displaced == len(lines)
    assert_sound(lake)
    publish_now(settings, batches[1])
    assert counts_of(lake, batches[1])["listitems"].duplicates == len(lines)
    assert_sound(lake)


def test_what_an_earlier_version_staged_has_to_be_validated_again(
    settings: Settings, batches: list[Batch], fill: Fill
) -> None:
    lake, batch = settings.local_lake, batches[0]
    lines = [stamped(line, HOUR * layout.HOUR_US + n) for n, line in enumerate(mixed(30))]
    fill(lines, batch)
    drain(settings, batch)
    result = validate(settings, batch)
    assert sum(counts.raw for counts in result.counts.values()) == len(lines)
    # What lies there after a validation by the version before: one file a queue, no word of types.
    for name in SHARED[:-1]:
        staged_path(lake, batch, name).unlink()
    old = {"record_type": "other", "number": 0, "rows": {}, "sha256": "", "reasons": {}, "suites": []}
    counts = {"raw": len(lines), "good": len(lines), "quarantined": 0}
    slice_path(lake, batch, wire.OTHER, 0).write_bytes(msgspec.json.encode(old | {"counts": counts}))
    write_result(lake, batch, msgspec.structs.replace(result, types=[]))
    with pytest.raises(NotStaged, match="Clear its validate task"):
        publish(settings, batch)
    validate(settings, batch)
    published = publish(settings, batch)
    assert published.stored == len(lines)
    again = read_result(lake, batch)
    assert again is not None and again.counts == result.counts
    assert all(stored(lake)[name] for name in SHARED)
    assert_sound(lake)
