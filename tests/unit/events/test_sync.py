"""A ``sync`` event is a row of ``other`` that gives the event back; what only looks like one is not."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import msgspec
import pyarrow as pa
import pytest

from firehose import schema
from firehose.events.rebuild import sync_of
from firehose.events.rows import decode_rows, to_table
from firehose.quality.rules import split

DID = "did:plc:ewvi7nxzyoun6zhxrhs64oiz"
REV = "3l3qo2vutsw2b"
TIME_US = 1_790_000_000_000_000
SYNC = {
    "blocks": {"$bytes": "AQID"},
    "did": DID,
    "rev": REV,
    "seq": 30_340_180_350,
    "time": "2026-08-11T12:50:10.694Z",
}


def _table(*parts: dict[str, Any], **changed: Any) -> pa.Table:
    event = {"did": DID, "time_us": TIME_US, "kind": "sync"} | changed
    lines = [msgspec.json.encode({**event, "sync": part}) for part in parts]
    rows, kept, failed = decode_rows(schema.OTHER, lines)
    assert (kept, failed) == (lines, [])
    return to_table(schema.OTHER, rows, datetime(2026, 11, 1, tzinfo=UTC))


def test_a_sync_event_is_a_row_that_gives_it_back() -> None:
    table = _table(SYNC)
    [row] = table.to_pylist()
    assert (row["did"], row["time_us"], row["operation"], row["collection"]) == (DID, TIME_US, "sync", "")
    assert (row["rev"], row["rkey"], row["cid"], row["created_at"]) == (REV, "30340180350", None, None)
    assert sync_of(row) == SYNC
    assert split(schema.OTHER, table)[1] == {}
    assert all(row[column] is not None for column in schema.IDENTITY[schema.OTHER])


def test_what_the_relay_adds_one_day_is_kept() -> None:
    odd = SYNC | {"new": [1, {"$link": "b"}], "did": "did:plc:another"}
    [row] = _table(odd).to_pylist()
    assert sync_of(row) == odd


def test_two_announcements_of_one_revision_are_two_events() -> None:
    first, second = _table(SYNC, SYNC | {"seq": 30_340_180_351}).to_pylist()
    columns = schema.IDENTITY[schema.OTHER]
    assert [first[name] for name in columns] != [second[name] for name in columns]


@pytest.mark.parametrize(
    ("part", "reason"),
    [
        ({"rev": None}, "rev"),
        ({"rev": "no TID"}, "rev"),
        ({"seq": "1"}, "rkey"),
        ({"seq": True}, "rkey"),
        ({"seq": 2**63}, "rkey"),
    ],
)
def test_a_sync_event_without_identity_is_no_row(part: dict[str, Any], reason: str) -> None:
    good, reasons = split(schema.OTHER, _table(SYNC | part))
    assert good.to_pylist() == [False]
    assert reasons[0].startswith(reason)


@pytest.mark.parametrize("collection", ["", "app.bsky.actor.profile"])
def test_a_commit_cannot_pass_for_one(collection: str) -> None:
    commit = {"rev": REV, "operation": "sync", "collection": collection, "rkey": "1"}
    line = msgspec.json.encode({"did": DID, "time_us": TIME_US, "kind": "commit", "commit": commit})
    _, _, [failed] = decode_rows(schema.OTHER, [line])
    assert "operation is 'sync'" in failed.reason


def test_an_empty_collection_is_for_sync_events_only() -> None:
    commit = {"rev": REV, "operation": "delete", "collection": "", "rkey": "1"}
    line = msgspec.json.encode({"did": DID, "time_us": TIME_US, "kind": "commit", "commit": commit})
    rows, _, _ = decode_rows(schema.OTHER, [line])
    assert (
        "collection" in split(schema.OTHER, to_table(schema.OTHER, rows, datetime(2026, 11, 1, tzinfo=UTC)))[1][0]
    )


def test_a_sync_event_in_another_queue_is_refused() -> None:
    line = msgspec.json.encode({"did": DID, "time_us": TIME_US, "kind": "sync", "sync": SYNC})
    for record_type in set(schema.EVENT_TYPES) - {schema.OTHER}:
        _, _, [failed] = decode_rows(record_type, [line])
        assert "sync" in failed.reason
