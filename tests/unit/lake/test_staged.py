"""What goes into an hour file at a time, and where a publication that was killed goes on."""

from __future__ import annotations

from pathlib import Path

import pytest

from firehose.lake import staged
from firehose.lake.footers import Merged
from firehose.lake.staged import HourRows, Part, commits, remaining
from firehose.store import LocalLake

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
