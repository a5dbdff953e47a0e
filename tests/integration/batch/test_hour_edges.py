"""Copies of an event on either side of an hour's edge: one stays, in whatever order the batches come and die.

The staged rows are made here, without a validation: what counts is identity, batch and witnessed time.
"""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from firehose import schema
from firehose.batch.interval import Batch
from firehose.lake import hourfile, layout, rowgroups, staged, users
from firehose.lake.footers import displaced
from firehose.lake.ledger import entry_path
from firehose.lake.sides import EDGE_US
from firehose.lake.verify import verify
from firehose.store import LocalLake
from ingester.contract.crash import Point
from tests.support.copies import (
    BATCHES,
    EDGE,
    HOUR,
    IMPORTS,
    SECOND,
    Boundaries,
    Copy,
    Killed,
    after,
    assert_sound,
    before,
    counts_of,
    hours_of,
    run,
    stage,
    stored,
    table_of,
    wanted,
)


@pytest.fixture
def lake(tmp_path: Path) -> Path:
    return tmp_path / "lake"


@pytest.mark.parametrize("record_type", [schema.LIKES, schema.OTHER, schema.ACCOUNTS])
@pytest.mark.parametrize("sides", [(before, after), (after, before)], ids=["to the later hour", "to the earlier"])
@pytest.mark.parametrize("order", [(0, 1), (1, 0)], ids=["in order", "out of order"])
def test_an_event_stamped_on_both_sides_lies_in_the_lake_once(
    lake: Path, record_type: str, sides: tuple[Callable[[int], Copy], ...], order: tuple[int, int]
) -> None:
    given = {BATCHES[n]: [sides[n](event) for event in range(4 * n, 10 + n)] for n in (0, 1)}
    for number in order:
        stage(lake, BATCHES[number], given[BATCHES[number]], record_type)
        run(lake, BATCHES[number])
    assert stored(lake, record_type) == wanted(given)
    assert_sound(lake)
    one, two = (counts_of(lake, BATCHES[n], record_type) for n in (0, 1))
    assert (one.stored, one.duplicates) == (10, 0)
    assert (two.stored, two.duplicates, one.displaced) == ((1, 6, 0) if order == (0, 1) else (7, 0, 6))
    # The hour that lost rows is one to be summed up again.
    assert order == (0, 1) or hours_of(lake, BATCHES[0]) == {HOUR - 1, HOUR}


@pytest.mark.parametrize("order", [(0, 1), (1, 0)], ids=["the import later", "the import first"])
@pytest.mark.parametrize("batch", [BATCHES[0], BATCHES[4]], ids=["named before it", "named after it"])
def test_of_an_event_that_an_import_brought_too_the_copy_that_was_listened_to_stays(
    lake: Path, batch: Batch, order: tuple[int, int]
) -> None:
    given = {batch: [before(1), before(2), after(3)], IMPORTS[0]: [before(1), after(2), after(4)]}
    for number in order:
        of = [batch, IMPORTS[0]][number]
        stage(lake, of, given[of])
        run(lake, of)
    assert stored(lake) == wanted(given)
    assert {of for rows in stored(lake).values() for event, of, _ in rows if event != 4} == {batch}
    assert_sound(lake)


def test_copies_farther_apart_than_the_bound_are_two_events(lake: Path) -> None:
    near, far = EDGE_US / SECOND, EDGE_US / SECOND + 1
    given = [[before(1, near), before(2, far), before(3), before(4, near)], [after(1), after(2), after(3, far)]]
    given[1].append(after(4, near - 1))
    for batch, copies in zip(BATCHES, given, strict=False):
        stage(lake, batch, copies)
        run(lake, batch)
    assert [event for event, _, _ in stored(lake)[HOUR]] == [2, 3]


def test_of_one_batch_the_copy_in_the_earlier_hour_stays(lake: Path) -> None:
    for _ in range(2):
        stage(lake, BATCHES[0], [after(1), before(1), after(2), before(3)])
        run(lake, BATCHES[0])
        assert [event for event, _, _ in stored(lake)[HOUR - 1]] == [1, 3]
        assert [event for event, _, _ in stored(lake)[HOUR]] == [2]
        assert counts_of(lake, BATCHES[0]).duplicates == 1
        assert_sound(lake)


def test_a_batch_that_meets_both_neighbours(lake: Path) -> None:
    next_edge = EDGE + layout.HOUR_US
    outer = [before(1), Copy(2, next_edge + SECOND), Copy(3, next_edge + 2 * SECOND)]
    inner = [after(1), Copy(2, next_edge - SECOND), after(4)]
    stage(lake, BATCHES[1], outer)
    run(lake, BATCHES[1])
    stage(lake, BATCHES[0], inner)
    run(lake, BATCHES[0])
    assert stored(lake) == wanted({BATCHES[0]: inner, BATCHES[1]: outer})
    assert counts_of(lake, BATCHES[0]).displaced == 2
    assert hours_of(lake, BATCHES[0]) == {HOUR - 1, HOUR, HOUR + 1}
    assert_sound(lake)


def test_a_rerun_takes_nothing_away_that_it_does_not_store(lake: Path) -> None:
    # The first run of the earlier batch holds event 1, the cleared one does not any more.
    stage(lake, BATCHES[0], [before(1), before(2)])
    run(lake, BATCHES[0])
    stage(lake, BATCHES[0], [before(2)])
    run(lake, BATCHES[0])
    stage(lake, BATCHES[1], [after(1), after(2), after(3)])
    run(lake, BATCHES[1])
    assert [event for event, _, _ in stored(lake)[HOUR]] == [1, 3]
    # And now it has it again.
    stage(lake, BATCHES[0], [before(1), before(2)])
    run(lake, BATCHES[0])
    assert [event for event, _, _ in stored(lake)[HOUR]] == [3]
    assert_sound(lake)


def test_a_rerun_whose_own_row_is_gone_displaces_nothing(lake: Path) -> None:
    # Event 1 was a duplicate to the second batch; the first one lost it at a rerun. The third has it and keeps it.
    for batch, copies in zip(BATCHES, ([before(1), before(9)], [before(1, 2), before(8)]), strict=False):
        stage(lake, batch, copies)
        run(lake, batch)
    stage(lake, BATCHES[0], [before(9)])
    run(lake, BATCHES[0])
    stage(lake, BATCHES[2], [after(1)])
    run(lake, BATCHES[2])
    stage(lake, BATCHES[1], [before(1, 2), before(8)])
    run(lake, BATCHES[1])
    assert [event for event, _, _ in stored(lake)[HOUR]] == [1]
    assert_sound(lake)


def test_a_rerun_may_bring_an_event_to_the_hour_before(lake: Path) -> None:
    for copies in ([after(1), after(2), after(3)], [before(1), after(2), before(3), after(3)]):
        stage(lake, BATCHES[0], copies)
        run(lake, BATCHES[0])
        assert stored(lake) == wanted({BATCHES[0]: copies})
        assert_sound(lake)


def test_a_batch_settles_only_its_own_copies(lake: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # The second batch died before the third one's copy was displaced; the first one knows nothing of the event.
    given = dict(zip(BATCHES, ([before(5), after(6)], [after(1)], [before(1)]), strict=False))
    boundaries = Boundaries(monkeypatch)
    for number in (2, 1, 0, 1):
        stage(lake, BATCHES[number], given[BATCHES[number]])
        if not entry_path(lake, BATCHES[0]).exists() and number == 1:
            boundaries.left = 7  # six in its own hour's file, and the neighbour's is copied
            with pytest.raises(Killed):
                run(lake, BATCHES[number])
            assert [len(rows) for rows in stored(lake).values()] == [1, 1]
        else:
            run(lake, BATCHES[number])
        boundaries.left = -1
    assert stored(lake) == wanted(given)
    assert_sound(lake)


def random_batches(chance: random.Random, among: list[Batch]) -> dict[Batch, list[Copy]]:
    """Events near two edges, each in one or more batches, with a time of its own in each."""
    given: dict[Batch, list[Copy]] = {batch: [] for batch in among}
    for event in range(24):
        edge = EDGE + chance.choice((0, layout.HOUR_US))
        for batch in chance.choices(among, k=chance.randint(1, 5)):
            given[batch].append(Copy(event, edge + chance.randrange(-EDGE_US, EDGE_US)))
    return {batch: copies for batch, copies in given.items() if copies}


def lay_out(lake: Path, chance: random.Random) -> None:
    """Some hours are by user; each has others with files of their own, some have none, some are flat."""
    for hour in (HOUR - 1, HOUR, HOUR + 1):
        chosen = chance.sample(["did:plc:0", "did:plc:1", "did:plc:2", layout.OTHERS], chance.randint(0, 3))
        users.restore(LocalLake(lake), schema.LIKES, hour, chosen)


@pytest.mark.parametrize("seed", [*range(12), *range(100, 108)])
def test_batches_in_any_order_with_deaths_and_reruns_give_the_same_rows(
    lake: Path, monkeypatch: pytest.MonkeyPatch, seed: int
) -> None:
    monkeypatch.setattr(staged, "COMMIT_ROWS", 3)
    monkeypatch.setattr(rowgroups, "ROW_GROUP_ROWS", 4)
    chance, boundaries = random.Random(seed), Boundaries(monkeypatch)
    if seed >= 100:
        lay_out(lake, chance)
    given = random_batches(chance, [*BATCHES[:3], *IMPORTS] if seed % 2 else BATCHES)
    todo = [*given, *chance.choices(list(given), k=2)]
    chance.shuffle(todo)
    changed: dict[Batch, set[int]] = {batch: set() for batch in given}
    while todo:
        batch = todo.pop()
        earlier = stored(lake)
        boundaries.left = -1
        stage(lake, batch, given[batch])
        boundaries.left = chance.choice((-1, chance.randint(1, 40)))
        try:
            run(lake, batch)
            died = False
        except Killed:
            died = True
            todo.insert(chance.randint(0, len(todo)), batch)
        now = stored(lake)
        changed[batch] |= {hour for hour in (*earlier, *now) if earlier.get(hour) != now.get(hour)}
        if not died:
            assert changed[batch] <= hours_of(lake, batch)
            changed[batch].clear()
    assert stored(lake) == wanted(given)
    assert_sound(lake)


@pytest.mark.parametrize("order", [(0, 1), (1, 0)])
def test_a_death_changes_no_count(lake: Path, monkeypatch: pytest.MonkeyPatch, order: tuple[int, int]) -> None:
    boundaries = Boundaries(monkeypatch)
    given = [[before(n) for n in range(6)] + [after(9)], [after(n) for n in range(4, 9)] + [before(9)]]
    counts = []
    for die_at in range(30):
        home = lake / str(die_at)
        for number in order:
            boundaries.left = -1
            stage(home, BATCHES[number], given[number])
            boundaries.left = die_at if number == order[1] else -1
            if boundaries.left > 0:
                try:
                    run(home, BATCHES[number])
                    continue  # past the last boundary
                except Killed:
                    boundaries.left = -1
                    stage(home, BATCHES[number], given[number])
            run(home, BATCHES[number])
        counts.append([counts_of(home, batch) for batch in BATCHES[:2]])
        assert stored(home) == wanted(dict(zip(BATCHES, given, strict=False)))
        assert_sound(home)
    assert all(one == counts[0] for one in counts)


@pytest.mark.parametrize(
    "at", [f"{point}:{nth}" for point in (Point.HOUR_SYNCED, Point.HOUR_RENAMED) for nth in (1, 2)]
)
def test_a_kill_between_the_two_hours_loses_and_repeats_nothing(lake: Path, at: str) -> None:
    given = {BATCHES[0]: [before(1), before(2)], BATCHES[1]: [after(1), after(2), after(3)]}
    stage(lake, BATCHES[1], given[BATCHES[1]])
    run(lake, BATCHES[1])
    stage(lake, BATCHES[0], given[BATCHES[0]])
    code = (
        "import sys; from firehose.batch.interval import Batch; from firehose.settings import Settings\n"
        "from firehose.lake.publish import publish\n"
        "publish(Settings(lake=sys.argv[1]), Batch.parse(sys.argv[2], 300))"
    )
    environ = {**os.environ, "FIREHOSE_CRASH_AT": at, "FIREHOSE_CRASH_PROOF": str(lake / "proof")}
    died = subprocess.run([sys.executable, "-c", code, str(lake), BATCHES[0].id], env=environ, check=False)
    assert died.returncode == -signal.SIGKILL
    there = {event for rows in stored(lake).values() for event, _, _ in rows}
    assert there == {1, 2, 3}, "no moment without an event"
    run(lake, BATCHES[0])
    assert stored(lake) == wanted(given)
    assert counts_of(lake, BATCHES[0]).displaced == 2
    assert hours_of(lake, BATCHES[0]) == {HOUR - 1, HOUR}
    assert_sound(lake)
    assert not list(lake.glob("**/*.part"))


@pytest.mark.parametrize("seed", range(3))
def test_writers_of_neighbouring_hours_at_the_same_time(lake: Path, seed: int) -> None:
    given = random_batches(random.Random(1000 + seed), BATCHES)
    for batch, copies in given.items():
        stage(lake, batch, copies)
    with ThreadPoolExecutor(len(given)) as pool:
        list(pool.map(lambda batch: run(lake, batch), given))
    assert stored(lake) == wanted(given)
    assert_sound(lake)


def test_only_what_lies_near_the_edge_is_read(lake: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rowgroups, "ROW_GROUP_ROWS", 10)
    early = [Copy(100 + n, EDGE - layout.HOUR_US + n * SECOND) for n in range(10)]
    late = [before(n, 10 - n / 2) for n in range(10)]
    stage(lake, BATCHES[0], [*early, *late])
    run(lake, BATCHES[0])
    path = layout.hour_file(lake, schema.LIKES, HOUR - 1)
    first = pq.read_metadata(path).row_group(0)
    assert first.num_rows == 10
    ends = [
        first.column(n).data_page_offset + first.column(n).total_compressed_size for n in range(first.num_columns)
    ]
    with path.open("r+b") as stream:
        stream.seek(4)
        stream.write(b"\xff" * (max(ends) - 4 - 100))
    stage(lake, BATCHES[1], [after(0), after(55)])
    run(lake, BATCHES[1])
    assert [event for event, _, _ in _rows_at(lake, HOUR)] == [55]


def _rows_at(lake: Path, hour: int) -> list[tuple[int, int, int]]:
    rows = pq.ParquetFile(layout.hour_file(lake, schema.LIKES, hour)).read(["rkey"]).to_pylist()
    return [(int(row["rkey"].removeprefix("key")), 0, 0) for row in rows]


@pytest.mark.parametrize("record_type", [schema.LIKES, schema.ACCOUNTS])
def test_verify_sees_an_event_in_two_neighbouring_hours(lake: Path, record_type: str) -> None:
    # As an earlier version left it: each hour file merged on its own.
    for batch, copies in zip(BATCHES, ([before(1), before(2)], [after(1), after(3)]), strict=False):
        path = layout.hour_file(lake, record_type, copies[0].hour)
        rows = table_of(record_type, batch, copies)
        new = hourfile.HourCommit(record_type, batch.start, lambda _=None, rows=rows: iter([rows]))
        hourfile.merge(LocalLake(path), new)
    report = verify(LocalLake(lake))
    assert report.types[record_type].duplicates == 1
    assert any("1 events lie in both; clear the run of the earlier batch" in said for said in report.problems)
    # Which helps.
    for batch, copies in zip(BATCHES, ([before(1), before(2)], [after(1), after(3)]), strict=False):
        stage(lake, batch, copies, record_type)
        run(lake, batch)
    assert_sound(lake)
    assert displaced(LocalLake(layout.hour_file(lake, record_type, HOUR))) == {}
