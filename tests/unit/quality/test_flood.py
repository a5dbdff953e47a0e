"""When bad events are a flood: of one type, or of all together; said as soon as it is certain, and not before.

Events of kinds to come, however many, are none, nor do they hide one.
"""

from __future__ import annotations

from datetime import UTC, datetime

import msgspec
import pytest

from firehose import schema
from firehose.batch.manifest import Manifest, QueueFile
from firehose.quality.flood import FLOOR, Flood
from firehose.quality.outcome import SliceResult, StagedRows, TypeCounts

MOMENT = datetime(2026, 6, 1, tzinfo=UTC)


def manifest(**events: int) -> Manifest:
    """A manifest of so many events of each type."""
    queues = {
        name: QueueFile(
            name=f"{name}.jsonl.zst",
            frames=1,
            events=count,
            size=1,
            sha256="",
            ranges=[],
            first_us=1,
            last_us=2,
        )
        for name, count in events.items()
    }
    return Manifest(
        batch="b",
        start=MOMENT,
        end=MOMENT,
        created_at=MOMENT,
        cursor=1,
        host="h",
        protocol="v1",
        time_us=1,
        minutes_heard=1,
        queues=queues,
    )


def bad(record_type: str, count: int, reason: str = "did: expected a did") -> SliceResult:
    """A slice with so many bad events, and one good one."""
    return SliceResult(
        queue=record_type,
        number=0,
        types={record_type: StagedRows(counts=TypeCounts(count + 1, 1, count), rows={}, sha256="")},
        reasons={reason: count},
        suites=[],
    )


def test_half_of_a_type_is_no_flood_and_one_more_is() -> None:
    flood = Flood(manifest(likes=2 * FLOOR, posts=100 * FLOOR), 0.5)
    assert flood.add(bad(schema.LIKES, FLOOR)) == ""
    said = flood.add(bad(schema.LIKES, 1))
    assert said.startswith(f"likes: at least {FLOOR + 1} of {2 * FLOOR} events are bad (limit 50%)")
    assert said.endswith("most often 'did: expected a did'")


def test_a_rare_type_is_no_flood_by_itself() -> None:
    flood = Flood(manifest(likes=FLOOR - 1, posts=100 * FLOOR), 0.5)
    assert flood.add(bad(schema.LIKES, FLOOR - 1)) == ""


def test_one_type_is_judged_by_its_own_events_not_by_anothers() -> None:
    flood = Flood(manifest(likes=2 * FLOOR, follows=2 * FLOOR, posts=100 * FLOOR), 0.5)
    assert flood.add(bad(schema.FOLLOWS, FLOOR)) == ""
    assert flood.add(bad(schema.LIKES, FLOOR)) == ""
    assert flood.add(bad(schema.FOLLOWS, 1)).startswith("follows: ")


def test_rare_types_together_are_a_flood() -> None:
    some = FLOOR - 1
    flood = Flood(manifest(likes=some, follows=some, blocks=some), 0.5)
    assert flood.add(bad(schema.LIKES, some, "often")) == ""
    said = flood.add(bad(schema.FOLLOWS, some - 1, "seldom"))
    assert said.startswith(f"all types, most of it likes: at least {2 * some - 1} of {3 * some} events are bad")
    assert said.endswith("most often 'often'")


@pytest.mark.parametrize(("most", "flooded"), [(0.0, True), (0.2, False), (1.0, False)])
def test_the_share_that_may_be_bad_is_a_setting(most: float, flooded: bool) -> None:
    flood = Flood(manifest(likes=10 * FLOOR), most)
    assert bool(flood.add(bad(schema.LIKES, FLOOR))) is flooded


def test_a_reason_is_said_in_one_short_line() -> None:
    flood = Flood(manifest(likes=FLOOR), 0.0)
    said = flood.add(bad(schema.LIKES, FLOOR, "x\n" * 1000))
    assert "\n" not in said and len(said) < 400


@pytest.mark.parametrize(
    ("events", "quarantined", "new_kinds", "is_flood"),
    [
        (FLOOR, FLOOR // 2 + 1, 0, True),
        (FLOOR, FLOOR // 2, 0, False),
        (FLOOR - 1, FLOOR - 1, 0, False),
        (6000, 6000, 6000, False),  # an account of thousands, all of a kind to come
        (100_000, 100_000, 99_990, False),  # ten bad ones beside them are not a flood
        (100_000, 96_000, 90_000, True),  # six of ten thousand that can be judged
        (100_000, 94_000, 90_000, False),
    ],
)
def test_only_what_can_be_judged_is_counted(events: int, quarantined: int, new_kinds: int, is_flood: bool) -> None:
    flood = Flood(manifest(other=events), 0.5)
    counts = TypeCounts(events, events - quarantined, quarantined)
    types = {schema.OTHER: StagedRows(counts=counts, rows={}, sha256="")}
    result = msgspec.structs.replace(bad(schema.OTHER, quarantined), types=types, new_kinds=new_kinds)
    assert bool(flood.add(result)) == is_flood
