"""What goes into an hour file at a time, and where a publication that was killed goes on."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from random import Random

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from firehose.lake import edges, staged
from firehose.lake.footers import Merged
from firehose.lake.layout import FLAT, HOUR_US, OTHERS
from firehose.lake.staged import HourRows, Part, commits, remaining
from firehose.lake.users import Layout
from firehose.store import LocalLake
from tests.support import arrow_reads

PARTS = [
    Part(LocalLake(Path(f"likes-{number:04}.parquet")), rows) for number, rows in enumerate((5, 3, 9, 2, 2, 2))
]


def test_parts_go_together_until_a_commit_is_full(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(staged, "COMMIT_ROWS", 8)
    assert [len(one.parts) for one in commits(HourRows(1, PARTS))] == [2, 1, 3]
    monkeypatch.setattr(staged, "COMMIT_SLICES", 2)
    assert [len(one.parts) for one in commits(HourRows(1, PARTS))] == [2, 1, 2, 1]
    assert [part for one in commits(HourRows(1, PARTS)) for part in one.parts] == PARTS
    assert list(commits(HourRows(1, []))) == []


def test_what_is_left_does_not_depend_on_the_size_of_the_commits_before() -> None:
    assert remaining(PARTS, []) == PARTS
    assert remaining(PARTS, [Merged(0, 0, 0)]) == PARTS
    assert remaining(PARTS, [Merged(5, 0, 1)]) == PARTS[1:]
    assert remaining(PARTS, [Merged(4, 1, 0), Merged(0, 12, 7)]) == PARTS[3:]
    assert remaining(PARTS, [Merged(23, 0, 0)]) == []
    assert remaining([], [Merged(0, 0, 3)]) == []


@pytest.mark.parametrize("rows", [1, 6, 24])
def test_commits_that_end_within_a_part_are_of_no_use(rows: int) -> None:
    assert remaining(PARTS, [Merged(rows, 0, 0)]) is None


HOUR = 480_000
_QUARTER_US = HOUR_US // 4


@pytest.fixture
def stage(tmp_path: Path) -> Callable[[list[list[int]]], Part]:
    """Stages row groups of rows at these times, from the hour's start on, of two accounts in turn."""

    def staged_file(groups: list[list[int]]) -> Part:
        path = LocalLake(tmp_path / "staged.parquet")
        schema = pa.schema([("time_us", pa.int64()), ("did", pa.string()), ("text", pa.string())])
        with pq.ParquetWriter(path, schema) as writer:
            for times in groups:
                at = [HOUR * HOUR_US + time for time in times]
                dids = [f"did:plc:{number % 2}" for number in range(len(times))]
                writer.write_table(pa.table([at, dids, [str(time) for time in times]], schema=schema))
        return Part(path, sum(0 <= time < HOUR_US for times in groups for time in times))

    return staged_file


@pytest.mark.parametrize("user", [FLAT, OTHERS, "did:plc:0"])
def test_the_first_and_the_last_time_find_the_same_neighbours_as_all_times(
    stage: Callable[[list[list[int]]], Part], user: str
) -> None:
    random, found = Random(5), set()
    edge = [-1, 0, 1, _QUARTER_US - 1, _QUARTER_US, 3 * _QUARTER_US - 1, 3 * _QUARTER_US, HOUR_US - 1, HOUR_US]
    for _ in range(200):
        groups = [
            [random.choice([random.choice(edge), random.randrange(_QUARTER_US, HOUR_US)]) for _ in range(size)]
            for size in random.choices((1, 2, 5), k=random.randrange(1, 3))
        ]
        rows = HourRows(HOUR, [stage(groups)], user, Layout(bool(user), ["did:plc:0"] if user else []))
        read = edges.neighbours(HOUR, (some["time_us"] for some in rows.read(["time_us"])))
        assert edges.neighbours(HOUR, rows.times()) == read, groups
        found.add(tuple(read))
    assert found == {(), (HOUR - 1,), (HOUR + 1,), (HOUR - 1, HOUR + 1)}


@pytest.mark.parametrize("held", [0, 100])
def test_few_rows_are_read_once_and_are_the_same_each_time(
    stage: Callable[[list[list[int]]], Part], monkeypatch: pytest.MonkeyPatch, held: int
) -> None:
    monkeypatch.setattr(staged, "_HELD_ROWS", held)
    opened = arrow_reads.noted(monkeypatch)
    rows = HourRows(HOUR, [stage([[-1, 5, 6], [7, HOUR_US]])])
    read = rows.reading()
    assert [table["text"].to_pylist() for table in read()] == [["5", "6"], ["7"]]
    assert [table["did"].to_pylist() for table in read(["did", "time_us"])] == [
        ["did:plc:1", "did:plc:0"],
        ["did:plc:0"],
    ]
    assert list(read()) == list(rows.read())
    assert len(opened) == (2 if held else 4), "each look at more rows than are held opens the file"
