"""A flood of bad events stops a batch; events of kinds to come, however many, do not, nor do they hide a flood."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from firehose import schema
from firehose.batch.manifest import Manifest, QueueFile
from firehose.quality.flood import FLOOR, Flood
from firehose.quality.result import SliceResult, TypeCounts


def manifest(events: int) -> Manifest:
    """Of a batch that has other events only."""
    file = QueueFile(
        name="other.jsonl.zst", frames=1, events=events, size=1, sha256="", ranges=[], first_us=1, last_us=2
    )
    now = datetime(2026, 11, 1, tzinfo=UTC)
    return Manifest(
        batch="x",
        start=now,
        end=now,
        created_at=now,
        cursor=1,
        host="h",
        protocol="v2",
        time_us=1,
        minutes_heard=1,
        queues={schema.OTHER: file},
    )


def said(events: int, quarantined: int, new_kinds: int) -> str:
    """What is said of a type of which so many are in quarantine, so many of them for their kind only."""
    flood = Flood(manifest(events), 0.5)
    counts = TypeCounts(events, events - quarantined, quarantined)
    return flood.add(
        SliceResult(
            record_type=schema.OTHER,
            number=0,
            counts=counts,
            rows={},
            sha256="",
            reasons={"why": quarantined},
            suites=[],
            new_kinds=new_kinds,
        )
    )


@pytest.mark.parametrize(
    ("events", "quarantined", "new_kinds", "is_flood"),
    [
        (FLOOR, FLOOR // 2 + 1, 0, True),
        (FLOOR, FLOOR // 2, 0, False),
        (FLOOR - 1, FLOOR - 1, 0, False),
        (6000, 6000, 6000, False),  # an account of thousands, all of a kind to come
        (100_000, 100_000, 99_990, False),  # ten bad ones beside them are no flood
        (100_000, 96_000, 90_000, True),  # six of ten thousand that can be judged
        (100_000, 94_000, 90_000, False),
    ],
)
def test_only_what_can_be_judged_is_counted(events: int, quarantined: int, new_kinds: int, is_flood: bool) -> None:
    assert bool(said(events, quarantined, new_kinds)) == is_flood
