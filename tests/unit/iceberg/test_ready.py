"""Which hours an Iceberg table may take: none beside an hour of which it holds an older version."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from firehose.iceberg.hours import Closed, Hour, ready
from firehose.lake.footers import Footer
from firehose.lake.layout import HourFile
from firehose.lake.records import HourRecord


def hour(*digests: str) -> tuple[Closed, ...]:
    return tuple(
        Closed(
            HourFile(0, "likes"),
            HourRecord(
                rows=1,
                bytes=1,
                sha256=digest,
                footer_sha256="",
                by="close",
                recorded_at=datetime.now(UTC),
                footer=Footer({}, {}, {}),
            ),
        )
        for digest in digests
    )


NEW, OLD = hour("new"), hour("old")


@pytest.mark.parametrize(
    ("seen", "held", "taken"),
    [
        ({1: NEW, 2: NEW}, {}, {1, 2}),
        ({1: OLD, 2: NEW}, {1: "old", 2: "old"}, {2}),
        ({1: None, 2: NEW}, {}, {2}),
        ({1: None, 2: NEW}, {1: "old"}, set()),
        ({1: None, 3: NEW}, {1: "old", 3: "old"}, {3}),
        ({1: None, 2: NEW, 3: NEW, 4: NEW}, {1: "old", 2: "old", 3: "old"}, set()),
        ({1: None, 2: NEW, 3: NEW}, {1: "old"}, {3}),
        ({1: (), 2: NEW}, {1: "old"}, {1, 2}),
        ({1: hour("a", "b")}, {1: "a"}, {1}),
        ({}, {1: "old"}, set()),
    ],
    ids=[
        "new hours",
        "one that has changed",
        "an open hour that the table never had",
        "beside a version that the lake no longer has",
        "further away",
        "waiting hours make others wait",
        "but not if they are new to the table",
        "an hour that has expired",
        "a file more",
        "nothing has changed",
    ],
)
def test_ready(seen: dict[int, Hour], held: dict[int, str], taken: set[int]) -> None:
    of_table = {number: frozenset([digest]) for number, digest in held.items()}
    assert ready(of_table, seen) == {number: seen[number] for number in taken}
