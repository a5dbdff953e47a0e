"""The closed form gives every row back, whatever its record holds and whatever its CID."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import msgspec
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from firehose import schema
from firehose.events.rebuild import record_cid
from firehose.events.rows import decode_rows, to_table
from firehose.lake import closed_form
from jetstream_simulator import generate
from tests.property.test_rows_round_trip import RECORDS, records
from tests.support.frames import queue_of

BATCH = datetime(2026, 11, 23, 20, 40, tzinfo=UTC)
TIME_US = 1_779_719_009_132_431
#: Equal to the key's, beside it, far from it, and of another clock.
REVISIONS = ["3mmoojp7etg2g", "3mmoojp7vgo2g", "3jzfcijpj2z2a", "jzzzzzzzzzzzz", "2222222222222"]
KEYS = ["3mmoojp7etg2g", "self", "zzzzzzzzzzzzz", "2222222222222"]


def line(record_type: str, record: dict[str, Any], key: str, revision: str, cid: str) -> bytes:
    collection = schema.COLLECTIONS.get(record_type, "org.example.thing")
    commit = {"rev": revision, "operation": "create", "collection": collection, "rkey": key, "cid": cid}
    event = {"did": "did:plc:a", "time_us": TIME_US, "kind": "commit", "commit": {**commit, "record": record}}
    return msgspec.json.encode(event)


def right_cid(record: dict[str, Any]) -> str:
    try:
        return record_cid(record)
    except ValueError:
        return "bafyreib"


@pytest.mark.parametrize("record_type", RECORDS)
@settings(max_examples=25)
@given(data=st.data())
def test_a_closed_row_is_the_row(record_type: str, data: st.DataObject) -> None:
    lines = []
    for record in data.draw(st.lists(records(record_type), min_size=1, max_size=3)):
        cid = data.draw(st.sampled_from([right_cid(record), "bafyreib"]))
        key, revision = data.draw(st.sampled_from(KEYS)), data.draw(st.sampled_from(REVISIONS))
        lines.append(line(record_type, record, key, revision, cid))
    rows, _, failed = decode_rows(record_type, lines)
    assert not failed
    plain = to_table(record_type, rows, BATCH)
    closed = closed_form.encode(record_type, plain)
    assert closed_form.decode(record_type, closed).equals(plain)
    some = ["did", *(name for name in ("cid", "rev", "created_at") if data.draw(st.booleans()))]
    stored = closed.select(closed_form.stored_for(record_type, some))
    assert closed_form.decode(record_type, stored, some).equals(plain.select(some))


@pytest.mark.parametrize("length", [0, 1, 23, 24, 255, 256, 65_535, 65_536, 70_000])
def test_texts_of_any_length_and_no_text_too_many(length: int) -> None:
    record = {"$type": "app.bsky.feed.post", "createdAt": "2026-05-25T14:23:28.778Z", "text": "é" * (length // 2)}
    record["text"] += "x" * (length % 2)
    rows, _, _ = decode_rows("posts", [line("posts", record, KEYS[0], REVISIONS[0], record_cid(record))])
    plain = to_table("posts", rows, BATCH)
    closed = closed_form.encode("posts", plain)
    assert closed_form.decode("posts", closed).equals(plain)
    assert (closed["cid"].to_pylist() == [None]) == (length < 65_536)


def test_what_follows_is_not_stored() -> None:
    lines = [line for line in generate.events(3_000, seed=5) if queue_of(line) == schema.LIKES]
    rows, _, _ = decode_rows(schema.LIKES, lines)
    closed = closed_form.encode(schema.LIKES, to_table(schema.LIKES, rows, BATCH))
    assert "tid_us" not in closed.schema.names
    for name in ("cid", "rev", "created_at"):
        assert stored(closed, name) < len(closed) / 10, name


def stored(table: pa.Table, name: str) -> int:
    return len(table) - int(table[name].null_count)


def test_an_unknown_column_of_an_older_file_is_null() -> None:
    rows, _, _ = decode_rows("posts", [line("posts", {"text": "x"}, KEYS[0], REVISIONS[0], "b")])
    closed = closed_form.encode("posts", to_table("posts", rows, BATCH)).drop_columns(["tags"])
    assert closed_form.decode("posts", closed)["tags"].to_pylist() == [None]
