"""The single parts that keep poison from spreading: the cursor's course, the size of a chunk, forged letters."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import msgspec
import pytest
import zstandard
from hypothesis import given
from hypothesis import strategies as st

from firehose.batch import raw
from firehose.store import LocalLake
from ingester.buffer.buffers import PLAUSIBLE_SEQ, Buffer, BufferV2
from ingester.contract import wire
from ingester.jetstream.envelope import PLAUSIBLE_US, follow
from ingester.jetstream.hosts import V1, V2
from ingester.position.position import AfterEvent
from tests.support.ingester import event, time_us

HOUR_US = 3_600_000_000
HERE = AfterEvent(time_us(0), time_us(0), "host", V1)
FAR = 2**62


def at(moment_us: int) -> bytes:
    """An account event of that time."""
    return b'{"time_us":%d,"kind":"account","account":{"seq":1}}' % moment_us


def cursors(moments: list[int], *, start: int = time_us(0), flush_each: bool = False) -> list[int]:
    """The cursor after each event of a connection that resumed at ``start``."""
    buffer, found = Buffer(AfterEvent(start, start, "host", V1), "host"), []
    for moment in moments:
        (buffer.add if buffer.placed else buffer.begin)(at(moment))
        found.append(buffer.position.cursor)
        buffer = buffer.fresh() if flush_each else buffer
    return found


@pytest.mark.parametrize("flush_each", [False, True])
@pytest.mark.parametrize("wrong", [0, 1, time_us(0) - 2 * HOUR_US, time_us(0) + 2 * HOUR_US, FAR])
def test_a_wrong_time_leaves_the_cursor_where_it_was(wrong: int, flush_each: bool) -> None:
    times = [time_us(1), wrong, time_us(2), wrong, time_us(3)]
    assert cursors(times, flush_each=flush_each) == [time_us(n) for n in (1, 1, 2, 2, 3)]


@pytest.mark.parametrize("flush_each", [False, True])
@pytest.mark.parametrize("leap", [-5 * HOUR_US, 5 * HOUR_US])
def test_a_leap_that_goes_on_is_followed(leap: int, flush_each: bool) -> None:
    times = [time_us(1), time_us(2) + leap, time_us(3) + leap]
    assert cursors(times, flush_each=flush_each) == [time_us(1), time_us(1), time_us(3) + leap]


def test_a_quiet_stream_is_followed_one_event_behind() -> None:
    times = [time_us(0) + 2 * HOUR_US * n for n in range(5)]
    assert cursors(times, flush_each=True) == [times[0], times[0], *times[1:4]]


def test_the_first_event_of_a_connection_may_lie_anywhere_but_at_no_time() -> None:
    assert cursors([time_us(0) + 50 * HOUR_US]) == [time_us(0) + 50 * HOUR_US]
    assert cursors([0]) == [time_us(0)]
    assert cursors([time_us(1)], start=0) == [time_us(1)]


@pytest.mark.parametrize(
    "buffer", [Buffer(HERE, "host"), BufferV2(replace(HERE, protocol=V2), "host")], ids=[V1, V2]
)
def test_what_cannot_be_read_does_not_say_where_the_stream_is(buffer: Buffer) -> None:
    start = buffer.position
    for message in (b"no event", b'{"$type":"message","payload":{"seq":%d' % (HERE.cursor + 5)):
        buffer.begin(message)
        buffer.reject(message, ValueError("why"))
        assert (buffer.placed, buffer.position) == (False, start)
        buffer = buffer.fresh()
        assert (buffer.placed, buffer.position) == (False, start)


def test_a_wrong_sequence_number_leaves_the_cursor_where_it_was() -> None:
    buffer = BufferV2(AfterEvent(100, time_us(0), "host", V2), "host")
    for number, expected in ((101, 101), (101 + PLAUSIBLE_SEQ, 101), (102, 102), (10**15 - 1, 102), (103, 103)):
        moment = "2023-11-14T22:13:20.000001Z"
        payload = {"$type": "x#account", "seq": number, "did": "did:plc:x", "time": moment, "account": {"seq": 1}}
        (buffer.add if buffer.placed else buffer.begin)(
            msgspec.json.encode({"$type": "message", "payload": payload})
        )
        assert buffer.position.cursor == expected
        buffer = buffer.fresh()


@given(st.lists(st.integers(0, 2**62), min_size=2), st.integers(1, 2**62))
def test_the_cursor_is_always_one_that_was_named(named: list[int], start: int) -> None:
    last, leap = start, 0
    for number in named:
        last, leap = follow(last, number, leap, PLAUSIBLE_US)
        assert last in (start, *named) and last


def test_a_forged_dead_letter_is_kept_as_it_came() -> None:
    forged = wire.dead_letter(b"lie", "nothing", time_us(1))
    buffer = Buffer()
    buffer.add(forged)
    (frame,) = buffer.pack(10)
    letter = msgspec.json.decode(zstandard.decompress(frame.payload))
    assert msgspec.convert(letter["bytes"], bytes) == forged
    assert letter["error"].startswith("Forged")


def test_a_chunk_of_giants_is_a_small_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(raw, "CHUNK_BYTES", 10_000)
    lines = [event(number, 3_000 if number % 2 else 10) for number in range(50)]
    path = tmp_path / "posts.jsonl.zst"
    path.write_bytes(zstandard.compress(wire.join_lines(lines)))
    chunks = list(raw.read_chunks(LocalLake(path), 25_000))
    assert [line for chunk in chunks for line in chunk] == lines
    assert max(sum(map(len, chunk)) for chunk in chunks) < 10_000 + 3_500
    assert len(chunks) > 5
    assert [len(chunk) for chunk in raw.read_chunks(LocalLake(path), 2)] == [2] * 25
