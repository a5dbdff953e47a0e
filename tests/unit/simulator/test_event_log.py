"""The event log: cursors never pass over an unseen event, retention is bounded, reads are bounded."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jetstream_simulator import frames
from jetstream_simulator.event_log import Event, EventLog, Overtaken


def _event_log(times: list[int], max_events: int = 1000, max_bytes: int = 1 << 20) -> EventLog:
    event_log = EventLog(max_events, max_bytes)
    event_log.append([Event(time_us, b'{"time_us":%d}' % time_us) for time_us in times])
    return event_log


def test_cursor_is_inclusive() -> None:
    event_log = _event_log([10, 20, 30])
    assert [event_log.position(c) for c in (0, 10, 11, 20, 30, 31)] == [0, 0, 1, 1, 2, 3]


def test_cursor_on_a_tape_out_of_order() -> None:
    assert _event_log([10, 50, 20, 60]).position(20) == 1
    assert _event_log([10, 50, 20, 60]).position(50) == 1


@given(st.lists(st.integers(1, 50), min_size=1, max_size=40), st.data())
def test_resuming_at_the_last_or_greatest_time_seen_skips_nothing(times: list[int], data: st.DataObject) -> None:
    seen = data.draw(st.integers(1, len(times)))
    event_log = _event_log(times)
    assert event_log.position(times[seen - 1]) <= seen
    assert event_log.position(max(times[:seen])) <= seen


def test_events_without_a_time_are_kept() -> None:
    event_log = _event_log([10, 0, 20])
    assert len(event_log.read(0, 10, 1000)) == 3
    assert event_log.newest_us == 20


def test_retention_by_events() -> None:
    event_log = EventLog(100, 1 << 20)
    for i in range(1, 1001):
        event_log.append([Event(i, b"{}")])
    assert 100 <= event_log.end - event_log.start <= 112
    assert event_log.end == 1000
    assert event_log.position(1) == event_log.start
    assert event_log.position(1000) == 999
    with pytest.raises(Overtaken):
        event_log.read(event_log.start - 1, 10, 1000)


def test_retention_by_bytes() -> None:
    event_log = EventLog(10_000, 10_000)
    for i in range(1, 501):
        event_log.append([Event(i, b"x" * 98)])  # frames of 100 bytes
    assert 10_000 <= (event_log.end - event_log.start) * 100 <= 11_300
    assert len(event_log.read(event_log.start, 5, 1 << 20)) == 5


def test_one_event_over_the_retention_is_still_served() -> None:
    event_log = EventLog(10, 100)
    event_log.append([Event(1, b"a"), Event(2, b"x" * 1000)])
    assert [frames.payload(f) for f in event_log.read(event_log.position(2), 10, 10)] == [b"x" * 1000]


def test_reads_are_bounded_by_events_and_bytes_but_never_empty() -> None:
    event_log = EventLog(100, 1 << 20)
    event_log.append([Event(i, b"x" * 98) for i in range(1, 11)])
    assert len(event_log.read(0, 3, 1 << 20)) == 3
    assert len(event_log.read(0, 10, 250)) == 2
    assert len(event_log.read(9, 10, 1)) == 1
    assert event_log.read(10, 10, 1000) == []
