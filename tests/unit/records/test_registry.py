"""Every registered type is whole: it gives its records back, and has rules, comments, an order and an identity."""

from __future__ import annotations

from datetime import UTC, datetime

import msgspec
import pyarrow as pa
import pyarrow.compute as pc
import pytest

from firehose.events.rebuild import record_cid, record_of
from firehose.events.rows import decode_rows, to_table
from firehose.events.sorting import by_type
from firehose.quality.rules import split
from firehose.records.base import RecordType
from firehose.records.registry import BY_COLLECTION, BY_QUEUE, REGISTRY, catch_all, shares_queue
from firehose.schema import EVENT_TYPES
from ingester.contract import wire
from ingester.jetstream.envelope import classify
from tests.support.events import first_synthetic

BATCH = datetime(2026, 6, 1, tzinfo=UTC)
TYPES = pytest.mark.parametrize("of", REGISTRY.values(), ids=lambda of: of.name)
OF_EVENTS = pytest.mark.parametrize("of", [REGISTRY[name] for name in EVENT_TYPES], ids=lambda of: of.name)


@pytest.fixture(scope="module")
def lines() -> dict[str, list[bytes]]:
    """The simulator's events by type, sorted as the ingester and the validation do."""
    queues: dict[str, list[bytes]] = {}
    for line in first_synthetic(60_000):
        queues.setdefault(classify(line, 0)[0], []).append(line)
    return {name: [*of_type] for queue, of in queues.items() for name, of_type in by_type(queue, of).items()}


@OF_EVENTS
def test_a_type_gives_its_records_back_by_their_cid(of: RecordType, lines: dict[str, list[bytes]]) -> None:
    rows, kept, failed = decode_rows(of.name, lines[of.name])
    table = to_table(of.name, rows, BATCH)
    assert (len(kept), failed) == (len(lines[of.name]), [])
    assert pc.all(split(of.name, table)[0]).as_py(), "the simulator's records keep the type's rules"
    written = [row for row in table.to_pylist() if row.get("cid") is not None]
    assert bool(written) == of.is_commit
    for row in written:
        assert record_cid(record_of(of.name, row)) == row["cid"]


@TYPES
def test_a_type_is_declared_whole(of: RecordType) -> None:
    names = [column.name for column in of.columns]
    assert len(names) == len(set(names))
    assert all(column.comment for column in of.columns)
    assert all(column.comment and column.expression for column in of.view)
    assert {"batch", "time_us", "did"} <= set(names)
    assert ("extra" in names) == of.is_event
    assert of.rules and {rule.column for rule in of.rules} <= set(names)
    assert of.sort in names and set(of.identity) <= set(names)
    assert "time_us" not in of.identity, "hosts stamp the same event differently"
    assert {column.made_of for column in of.columns if column.make} <= set(names)
    held = [column.name for field in of.fields for column in field.columns]
    assert set(held) <= set(names)


@OF_EVENTS
def test_a_type_comes_through_the_queue_that_the_ingester_chooses(of: RecordType) -> None:
    assert of.queue in wire.QUEUES
    for collection in of.collections:
        assert wire.COLLECTION_QUEUES.get(collection, wire.OTHER) == of.queue
        assert BY_COLLECTION[collection] == of.name
    if not of.is_commit:
        assert wire.KIND_QUEUES[of.kind] == of.queue


def test_every_queue_has_a_type_for_whatever_comes_through_it() -> None:
    assert {of.queue for of in REGISTRY.values()} == {*wire.QUEUES, "imported"}
    for queue, types in BY_QUEUE.items():
        *others, last = types
        assert all(of.collections and of.identity for of in others)
        assert [catch_all(of.name) for of in others] == [last] * len(others)
        assert (catch_all(last.name), shares_queue(last.name)) == (None, tuple(others))
        assert last.name == queue, "where earlier versions stored the queue's rows"


def test_a_line_is_of_the_type_of_its_collection_and_else_of_the_catch_all() -> None:
    def line(kind: str, collection: str) -> bytes:
        return msgspec.json.encode({"kind": kind, "commit": {"collection": collection}})

    profile, unknown = line("commit", "app.bsky.actor.profile"), line("commit", "com.example.thing")
    odd = [b"", b"{", b'{"kind":1}', line("sync", "app.bsky.actor.profile"), line("#undecodable", "x")]
    assert by_type(wire.OTHER, [unknown, profile, *odd]) == {"profiles": [profile], "other": [unknown, *odd]}
    assert by_type(wire.OTHER, [profile], wire.QUEUES) == {"other": [profile]}
    assert by_type(wire.LIKES, [b"{", unknown]) == {"likes": [b"{", unknown]}
    assert by_type(wire.OTHER, []) == {} == by_type(wire.LIKES, [])


def test_rows_of_a_type_have_the_identity_that_they_have_in_the_catch_alls_files(
    lines: dict[str, list[bytes]],
) -> None:
    from firehose.lake.identity import identities

    for of in BY_QUEUE[wire.OTHER][:-1]:
        now, before = (
            to_table(name, decode_rows(name, lines[of.name])[0], BATCH).sort_by([("rev", "ascending")])
            for name in (of.name, wire.OTHER)
        )
        found = [
            pa.array(sorted(identities(name, t).to_pylist())) for name, t in ((of.name, now), ("other", before))
        ]
        assert found[0].equals(found[1])
