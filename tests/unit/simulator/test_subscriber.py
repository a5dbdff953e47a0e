"""One client's way through the event log: cursors ahead of it, filters, sizes, and the limit per address."""

from __future__ import annotations

import json

import pytest

from jetstream_simulator import frames, generate
from jetstream_simulator.event_log import Event, EventLog, Overtaken
from jetstream_simulator.limits import Bucket
from jetstream_simulator.options import Filter, make_filter
from jetstream_simulator.subscriber import BATCH_BYTES, BATCH_EVENTS, Subscriber

LINES = list(generate.events(3000, seed=2))
EVENTS = [Event(json.loads(line)["time_us"], line) for line in LINES]


def _event_log(events: list[Event], retention: int = 10_000) -> EventLog:
    event_log = EventLog(retention, 1 << 30)
    event_log.append(events)
    return event_log


def _read(subscriber: Subscriber) -> list[bytes]:
    lines: list[bytes] = []
    while subscriber.behind:
        lines += [frames.payload(frame) for frame in subscriber.next_batch()]
    return lines


def test_without_a_cursor_it_gets_what_comes_from_now_on() -> None:
    event_log = _event_log(EVENTS[:100])
    subscriber = Subscriber(event_log, Filter(), None)
    assert subscriber.live and not subscriber.behind
    event_log.append(EVENTS[100:200])
    assert _read(subscriber) == LINES[100:200]


def test_with_a_cursor_it_replays_and_then_is_live() -> None:
    subscriber = Subscriber(_event_log(EVENTS), Filter(), EVENTS[500].time_us)
    assert not subscriber.live
    assert _read(subscriber) == LINES[500:]
    assert subscriber.live and subscriber.sent == 2500


def test_a_cursor_ahead_of_the_tape_stays_in_force() -> None:
    event_log = _event_log(EVENTS[:10])
    subscriber = Subscriber(event_log, Filter(), EVENTS[25].time_us)
    for start in (10, 20, 30):
        event_log.append(EVENTS[start : start + 10])
        assert _read(subscriber) == LINES[max(start, 25) : start + 10][: 0 if start == 10 else None]


def test_too_old_a_cursor_starts_at_the_oldest_even_if_that_moves() -> None:
    event_log = _event_log(EVENTS[:100], retention=100)
    subscriber = Subscriber(event_log, Filter(), 1)
    event_log.append(EVENTS[100:300])
    assert _read(subscriber) == LINES[300 - (event_log.end - event_log.start) : 300]


def test_being_overtaken_is_an_error_and_never_a_gap() -> None:
    event_log = _event_log(EVENTS[:100], retention=100)
    subscriber = Subscriber(event_log, Filter(), 1)
    subscriber.next_batch(10)
    event_log.append(EVENTS[100:300])
    with pytest.raises(Overtaken):
        subscriber.next_batch()


def test_batches_are_bounded() -> None:
    subscriber = Subscriber(_event_log(EVENTS), Filter(), 1)
    batch = subscriber.next_batch()
    assert len(batch) <= BATCH_EVENTS
    assert sum(map(len, batch)) <= BATCH_BYTES
    assert len(subscriber.next_batch(7)) == 7


def test_filters_drop_silently_and_the_position_moves_on() -> None:
    wanted = make_filter(["app.bsky.graph.*"], [], 0)
    lines = _read(Subscriber(_event_log(EVENTS), wanted, 1))
    expected = [
        line for line in LINES if b'"kind":"commit"' not in line or b'"collection":"app.bsky.graph.' in line
    ]
    assert lines == expected
    assert 0 < len(lines) < len(LINES)


def test_larger_events_are_skipped() -> None:
    lines = _read(Subscriber(_event_log(EVENTS), make_filter([], [], 400), 1))
    assert lines == [line for line in LINES if len(line) <= 400]
    assert lines


@pytest.mark.parametrize("garbage", [b"no json", b"[1]", b'{"did":7,"commit":"x"}'])
def test_garbage_reaches_whoever_names_no_did(garbage: bytes) -> None:
    event_log = _event_log([Event(1, garbage)])
    assert _read(Subscriber(event_log, make_filter(["a.b.c"], [], 0), 1)) == [garbage]
    assert _read(Subscriber(event_log, make_filter([], ["did:plc:x"], 0), 1)) == []


def test_bucket_allows_its_rate_and_tenfold_in_replay() -> None:
    bucket = Bucket(100, now_s=0.0)
    assert bucket.available(0.0, live=True) == 100
    assert bucket.available(0.0, live=False) == 1000
    bucket.spend(100, live=True)
    assert bucket.available(0.0, live=True) == 0
    assert bucket.available(0.5, live=True) == 50
    assert bucket.available(99.0, live=True) == 100
    bucket.spend(500, live=False)
    assert bucket.available(99.0, live=True) == 50


def test_no_rate_means_no_limit() -> None:
    bucket = Bucket(0, now_s=0.0)
    bucket.spend(10**9, live=True)
    assert bucket.available(0.0, live=True) > BATCH_EVENTS
