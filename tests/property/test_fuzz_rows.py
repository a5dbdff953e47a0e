"""Hostile events through decoder, rules, Parquet and back: refused with their bytes, or kept exactly."""

from __future__ import annotations

import copy
import os
import tempfile
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import msgspec
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from firehose import schema
from firehose.batch.interval import Batch
from firehose.events.envelope import MAX_DEPTH, Undecodable, decode_event
from firehose.events.rebuild import record_cid, record_of
from firehose.events.rows import decode_rows, to_table
from firehose.lake import closed_form, layout
from firehose.lake.hourfile import HourCommit, merge
from firehose.quality.quarantine import Quarantine, quarantine_path
from firehose.quality.rules import split
from firehose.store import LocalLake
from ingester.jetstream.envelope import classify
from tests.property.hostile import GOOD, deep_record, hostile_lines, mutated, time_line

START = datetime(2026, 11, 23, 20, 40, tzinfo=UTC)
BATCH = Batch.of(START, START + timedelta(minutes=5))
#: Where there is one, a file system in memory: ten thousand syncs of a disk take longer than all the rest.
FOLDER = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None
quick = settings(max_examples=25)


def through(record_type: str, lines: Sequence[bytes]) -> tuple[list[dict[str, Any]], list[tuple[str, bytes]]]:
    """What validate and publish make of ``lines``: the rows read back, and the quarantine (reason, raw)."""
    with tempfile.TemporaryDirectory(dir=FOLDER) as folder:
        lake = Path(folder)
        rows, kept, failed = decode_rows(record_type, lines)
        table = to_table(record_type, rows, START)
        mask, reasons = split(record_type, table)
        with Quarantine(BATCH, LocalLake(quarantine_path(lake, BATCH))) as quarantine:
            quarantine.add_undecodable(record_type, failed)
            quarantine.add_rows(record_type, table, kept, reasons)
        staged, hour = lake / "staged.parquet", layout.hour_file(lake, record_type, 0)
        pq.write_table(table.filter(mask), staged)
        good = pq.read_table(staged, schema=schema.SCHEMAS[record_type])
        merged = merge(LocalLake(hour), HourCommit(record_type, START, lambda _=None: iter([good])))
        kept = pq.read_table(hour, partitioning=None)
        assert closed_form.decode(record_type, closed_form.encode(record_type, kept)).equals(kept)
        stored = kept.to_pylist()
        assert merged.stored == len(stored) and merged.stored + merged.duplicates == len(good)
        assert len(good) + len(failed) + len(reasons) == len(lines)
        path = quarantine_path(lake, BATCH)
        bad = pq.read_table(path, partitioning=None).to_pylist() if path.exists() else []
        return stored, [(one["reason"], one["raw"]) for one in bad]


def check(record_type: str, line: bytes) -> bool:
    """Whether ``line``, between two good events, became a row; it never takes them with it."""
    first, last = GOOD[record_type]
    stored, bad = through(record_type, [first, line, last])
    assert {decode_event(first).did, decode_event(last).did} <= {row["did"] for row in stored}
    assert len(stored) + len(bad) == 3 or line in (first, last)
    for reason, raw in bad:
        assert reason and raw == line
    return not bad


@pytest.mark.parametrize("record_type", schema.EVENT_TYPES)
@quick
@given(data=st.data())
def test_a_mutated_event_is_kept_exactly_or_refused_with_its_bytes(record_type: str, data: st.DataObject) -> None:
    line = data.draw(mutated(record_type))
    if not check(record_type, line) or record_type not in schema.COMMIT_TYPES:
        return
    (row, *_) = (row for row in through(record_type, [line])[0])
    commit = decode_event(line).commit
    if commit is None or row["operation"] == "delete":
        return
    record = msgspec.json.decode(commit.record)
    try:
        cid = record_cid(record)
    except ValueError:
        return  # no CID to prove anything by: verify lists it
    rebuilt = record_of(record_type, row)
    assert (rebuilt, record_cid(rebuilt)) == (record, cid)


@pytest.mark.parametrize("record_type", [name for name in schema.COMMIT_TYPES if name in schema.COLLECTIONS])
@pytest.mark.parametrize("collection", ["", "app.bsky.feed.generator"])
def test_a_record_of_another_collection_is_refused_with_its_bytes(record_type: str, collection: str) -> None:
    """The type's rows have no collection: it would come back as one of theirs."""
    line = GOOD[record_type][0].replace(schema.COLLECTIONS[record_type].encode(), collection.encode())
    stored, bad = through(record_type, [line])
    assert stored == [] and [raw for _, raw in bad] == [line]


@pytest.mark.parametrize("operation", ["create", "update"])
@pytest.mark.parametrize("record_type", schema.COMMIT_TYPES)
def test_a_write_that_comes_without_its_record_is_refused(record_type: str, operation: str) -> None:
    event = msgspec.json.decode(GOOD[record_type][0])
    event["commit"]["operation"] = operation
    del event["commit"]["record"]
    line = msgspec.json.encode(event)
    assert through(record_type, [line]) == ([], [(f"record: {operation} without a record", line)])


@settings(max_examples=200)
@given(line=hostile_lines())
@example(b"")
@example(b"\xff\xfe")
@example(b'{"kind":"#undecodable","error":"x","bytes":"*"}')
@example(b'{"kind":"#undecodable","error":"x","bytes":"YQ==","time_us":9999999999999999999999}')
def test_any_bytes_are_an_event_or_undecodable(line: bytes) -> None:
    try:
        decode_event(line)
    except Undecodable as error:
        assert error.reason and (error.raw == line or error.reason.startswith("message: "))
        assert -(2**63) <= error.time_us < 2**63
    for record_type in (schema.POSTS, schema.OTHER, schema.ACCOUNTS):
        decode_rows(record_type, [line])


@settings(max_examples=150)
@given(message=hostile_lines())
def test_what_came_over_the_wire_is_what_the_quarantine_holds(message: bytes) -> None:
    # From the ingester's dead letter back to the message, even if the message claims to be a dead letter.
    _, _, line = classify(message, 1_779_719_009_132_431)
    try:
        decode_event(line)
    except Undecodable as error:
        assert error.raw == message


@pytest.mark.parametrize(
    "time_us", [2**63, -(2**63) - 1, 2**70, 10**4000, 0, -1, 2**63 - 1, 4_102_444_800_000_001]
)
@pytest.mark.parametrize("record_type", schema.EVENT_TYPES)
def test_no_time_takes_the_chunk_with_it(record_type: str, time_us: int) -> None:
    assert not check(record_type, time_line(record_type, time_us))


@pytest.mark.parametrize(
    "claim",
    [
        "0000-01-01T00:00:00.000Z",
        "0001-01-01T00:00:00.000+23:59",
        "9999-12-31T23:59:59.999-23:59",
        "9999-12-31T23:59:59.999Z",
        "2024-12-31T23:59:60.000Z",
        "2024-12-31T24:00:00.000Z",
        "2024-02-30T00:00:00.000Z",
        "٢٠٢٤-01-01T00:00:00.000Z",
        "2024-01-01T00:00:00.000Z\n",
        "\u0000",
        "",
        "2" * 1_000_000,
    ],
)
def test_no_claimed_time_takes_the_chunk_with_it(claim: str) -> None:
    event = copy.deepcopy(msgspec.json.decode(GOOD[schema.POSTS][0]))
    event["commit"]["record"]["createdAt"] = claim
    event["did"] = "did:plc:other"
    assert check(schema.POSTS, msgspec.json.encode(event))
    (row,), _ = through(schema.POSTS, [msgspec.json.encode(event)])
    assert record_of(schema.POSTS, row) == event["commit"]["record"]


@pytest.mark.parametrize("opening", [b"[", b'{"a":'])
@pytest.mark.parametrize(
    ("depth", "kept"), [(MAX_DEPTH, True), (MAX_DEPTH + 1, False), (990, False), (20_000, False)]
)
def test_depth_is_judged_the_same_wherever_the_caller_stands(opening: bytes, depth: int, kept: bool) -> None:
    line = deep_record(opening, depth)

    def from_below(frames: int) -> tuple[bool, str | None]:
        if frames:
            return from_below(frames - 1)
        rows, _, failed = decode_rows(schema.POSTS, [line])
        return bool(rows), failed[0].reason if failed else None

    assert from_below(0) == from_below(300)
    assert from_below(0)[0] is kept
    if kept:
        (row,), _ = through(schema.POSTS, [line])
        assert record_cid(record_of(schema.POSTS, row)) == record_cid(
            msgspec.json.decode(line)["commit"]["record"]
        )


def test_brackets_in_a_text_are_no_depth() -> None:
    event = msgspec.json.decode(GOOD[schema.POSTS][0])
    event["commit"]["record"]["text"] = '\\"[{' * 1000
    assert decode_rows(schema.POSTS, [msgspec.json.encode(event)])[2] == []


@pytest.mark.parametrize("prefix", ["z", "k", "9", "b"])
def test_a_giant_link_costs_no_time(prefix: str) -> None:
    with pytest.raises(ValueError, match="a link of 1000001 characters"):
        record_cid({"ref": {"$link": prefix + "2" * 1_000_000}})


def test_a_table_of_nothing_but_poison_is_empty() -> None:
    for record_type in schema.EVENT_TYPES:
        rows, kept, failed = decode_rows(record_type, [b"", b"{}", b"null"])
        assert (rows, kept, len(failed)) == ([], [], 3)
        assert to_table(record_type, rows, START).schema == schema.SCHEMAS[record_type]
        assert split(record_type, to_table(record_type, rows, START))[0].equals(pa.array([], pa.bool_()))
