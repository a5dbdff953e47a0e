"""The tape: cursors never pass over an unseen event, retention is bounded, reads are bounded."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jetstream_simulator import frames
from jetstream_simulator.tape import Event, Overtaken, Tape


def _tape(times: list[int], max_events: int = 1000, max_bytes: int = 1 << 20) -> Tape:
    tape = Tape(max_events, max_bytes)
    tape.append([Event(time_us, b'{"time_us":%d}' % time_us) for time_us in times])
    return tape


def test_cursor_is_inclusive() -> None:
    tape = _tape([10, 20, 30])
    assert [tape.position(c) for c in (0, 10, 11, 20, 30, 31)] == [0, 0, 1, 1, 2, 3]


def test_cursor_on_a_tape_out_of_order() -> None:
    assert _tape([10, 50, 20, 60]).position(20) == 1
    assert _tape([10, 50, 20, 60]).position(50) == 1


@given(st.lists(st.integers(1, 50), min_size=1, max_size=40), st.data())
def test_resuming_at_the_last_or_greatest_time_seen_skips_nothing(times: list[int], data: st.DataObject) -> None:
    seen = data.draw(st.integers(1, len(times)))
    tape = _tape(times)
    assert tape.position(times[seen - 1]) <= seen
    assert tape.position(max(times[:seen])) <= seen


def test_events_without_a_time_are_kept() -> None:
    tape = _tape([10, 0, 20])
    assert len(tape.read(0, 10, 1000)) == 3
    assert tape.newest_us == 20


def test_retention_by_events() -> None:
    tape = Tape(100, 1 << 20)
    for i in range(1, 1001):
        tape.append([Event(i, b"{}")])
    assert 100 <= tape.end - tape.start <= 112
    assert tape.end == 1000
    assert tape.position(1) == tape.start
    assert tape.position(1000) == 999
    with pytest.raises(Overtaken):
        tape.read(tape.start - 1, 10, 1000)


def test_retention_by_bytes() -> None:
    tape = Tape(10_000, 10_000)
    for i in range(1, 501):
        tape.append([Event(i, b"x" * 98)])  # frames of 100 bytes
    assert 10_000 <= (tape.end - tape.start) * 100 <= 11_300
    assert len(tape.read(tape.start, 5, 1 << 20)) == 5


def test_one_event_over_the_retention_is_still_served() -> None:
    tape = Tape(10, 100)
    tape.append([Event(1, b"a"), Event(2, b"x" * 1000)])
    assert [frames.payload(f) for f in tape.read(tape.position(2), 10, 10)] == [b"x" * 1000]


def test_reads_are_bounded_by_events_and_bytes_but_never_empty() -> None:
    tape = Tape(100, 1 << 20)
    tape.append([Event(i, b"x" * 98) for i in range(1, 11)])
    assert len(tape.read(0, 3, 1 << 20)) == 3
    assert len(tape.read(0, 10, 250)) == 2
    assert len(tape.read(9, 10, 1)) == 1
    assert tape.read(10, 10, 1000) == []
