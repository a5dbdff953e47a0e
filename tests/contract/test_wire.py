"""The wire contract between ingester and pipeline: names that others rely on, and frames that read back."""

from __future__ import annotations

import base64

import msgspec
import pytest
import zstandard
from hypothesis import given
from hypothesis import strategies as st

from ingester.buffer.buffers import Buffer
from ingester.contract import scripts, wire

EVENTS = st.lists(st.dictionaries(st.text(), st.text() | st.integers(-(2**60), 2**60)), min_size=1, max_size=20)


def test_keys_are_those_of_the_system_design() -> None:
    named = ("posts", "likes", "follows", "reposts", "blocks")
    assert [wire.stream_key(name) for name in named] == [f"firehose:{name}:queue" for name in named]
    assert wire.METADATA_KEY == "firehose:metadata"
    assert set(named) | {"identities", "accounts", "other"} == set(wire.QUEUES)


def test_every_queue_is_reachable_once() -> None:
    reached = [*wire.COLLECTION_QUEUES.values(), *wire.KIND_QUEUES.values(), wire.OTHER]
    assert sorted(reached) == sorted(wire.QUEUES)


@given(EVENTS)
def test_lines_of_a_frame_are_its_events_byte_for_byte(values: list[dict[str, object]]) -> None:
    events = [msgspec.json.encode(value) for value in values]
    joined = wire.join_lines(events)
    assert joined.endswith(b"\n") and joined[:-1].split(b"\n") == events


@given(EVENTS)
def test_a_line_break_in_an_event_changes_white_space_only(values: list[dict[str, object]]) -> None:
    events = [msgspec.json.format(msgspec.json.encode(value), indent=2) for value in values]
    lines = wire.join_lines(events)[:-1].split(b"\n")
    assert [msgspec.json.decode(line) for line in lines] == values


@given(st.binary(), st.text(), st.integers(0, 2**60))
def test_a_dead_letter_keeps_the_message(message: bytes, error: str, time_us: int) -> None:
    line = wire.dead_letter(message, error, time_us)
    letter = msgspec.json.decode(line)
    assert b"\n" not in line
    assert base64.b64decode(letter["bytes"]) == message
    assert (letter["kind"], letter["time_us"], letter["error"]) == (wire.DEAD_LETTER_KIND, time_us, error)


@pytest.mark.parametrize("frame_events", [1, 3, 100])
def test_concatenated_frames_are_one_zstd_file(frame_events: int) -> None:
    buffer = Buffer()
    events = [b'{"time_us":%d,"kind":"identity"}' % number for number in range(10)]
    for event in events:
        buffer.add(event)
    frames = buffer.pack(frame_events)
    assert [frame.events for frame in frames] == [min(frame_events, 10 - n) for n in range(0, 10, frame_events)]
    whole = b"".join(frame.payload for frame in frames)
    reader = zstandard.ZstdDecompressor().stream_reader(whole, read_across_frames=True)
    assert reader.read().split(b"\n") == [*events, b""]


def test_the_scripts_write_the_names_that_the_contract_gives() -> None:
    # What an ingester says that waits is outside of the fence, so that no script writes it.
    without = {wire.META_WAITING_MS}
    names = [value for name, value in vars(wire).items() if name.startswith("META_") and value not in without]
    assert len(names) > 10
    for name in names:
        assert f"'{name}'" in scripts.CLAIM + scripts.WRITE or f"{{{name} =" in scripts.WRITE, name
    assert f"'{wire.EVENTS_PREFIX}' .. frame.queue" in scripts.WRITE
    for script in (scripts.WRITE, scripts.BACKFILL):
        fields = (wire.FIELD_COUNT, wire.FIELD_FIRST_US, wire.FIELD_LAST_US, wire.FIELD_PAYLOAD, wire.FIELD_GAP)
        assert all(f"'{field.decode()}'" in script for field in fields)
