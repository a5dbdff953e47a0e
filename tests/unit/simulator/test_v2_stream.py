"""What a v2 client asks for and gets: parameters, cursors of both sorts, filters, and sources with cursors."""

from __future__ import annotations

import json

import pytest

from jetstream_simulator import frames, generate
from jetstream_simulator.event_log import Event, EventLog
from jetstream_simulator.options import Filter as V1Filter
from jetstream_simulator.sources import Generated
from jetstream_simulator.subscriber import Subscriber
from jetstream_simulator.v2 import options
from jetstream_simulator.v2.options import Filter, Refused, make_filter, parse
from jetstream_simulator.v2.sources import Numbered, Synced, with_cursor
from jetstream_simulator.v2.subscriber import EventSubscriber, Numbers, Start, start

LINES = list(generate.events(2000, seed=22))
EVENTS = [Event(json.loads(line)["time_us"], line) for line in LINES]
DID = json.loads(LINES[0])["did"]


def _event_log(events: list[Event], retention: int = 10_000) -> EventLog:
    event_log = EventLog(retention, 1 << 30)
    event_log.append(events)
    return event_log


def _read(numbers: Numbers, wanted: Filter, begin: Start) -> list[dict[str, object]]:
    subscriber, payloads = EventSubscriber(numbers, wanted, begin), []
    while subscriber.behind:
        payloads += [json.loads(frames.payload(frame))["payload"] for frame in subscriber.next_batch()]
    return payloads


@pytest.mark.parametrize(
    ("query", "said"),
    [
        ("wantedDids=did:plc:x", "use dids"),
        ("wantedCollections=a.b.c", "use collections"),
        ("requireHello=true", "server-push"),
        ("compress=true", "zstdDictionary"),
        ("kinds=likes", 'unknown kind "likes"'),
        ("kinds=identity&collections=a.b.c", "never apply"),
        ("dids=nobody", "DID"),
        ("collections=nonsense", "collection"),
        ("&".join(f"collections=a.b.c{i}" for i in range(101)), "too many"),
        ("cursor=now", "cursor"),
        ("cursor=-1", "cursor"),
        ("cursor=9223372036854775808", "cursor"),
        ("zstdDictionary=banana", "zstdDictionary"),
        ("zstdDictionary=0", "positive"),
    ],
)
def test_wrong_parameters_are_named(query: str, said: str) -> None:
    with pytest.raises(Refused, match=said) as refused:
        parse(query)
    assert (refused.value.name, refused.value.status) == ("InvalidRequest", 400)


def test_parameters() -> None:
    asked = parse("kinds=commit&kinds=sync&dids=did:plc:x&collections=a.b.*&cursor=7&maxMessageSizeBytes=9")
    assert asked.filter == make_filter(["sync", "commit"], ["did:plc:x"], ["a.b.*"], 9)
    assert (asked.cursor, asked.dictionary) == (7, None)
    assert parse("") == options.Request(Filter())
    assert parse("maxMessageSizeBytes=many&zstdDictionary=20260811").dictionary == 20_260_811


@pytest.mark.parametrize("cursor", [0, 1, 4, 999_999_999_999_999])
def test_a_seq_on_a_whole_tape(cursor: int) -> None:
    numbers = Numbers(_event_log(EVENTS[:10]))
    expected = Start() if cursor > 10 else Start(position=max(cursor - 1, 0))
    assert start(cursor, numbers, 1 << 60, ahead=False) == expected


def test_a_seq_ahead_of_a_tape_that_is_to_come_waits() -> None:
    event_log = _event_log(EVENTS[:10])
    numbers = Numbers(event_log)
    begin = start(26, numbers, 0, ahead=True)
    subscriber = EventSubscriber(numbers, Filter(), begin)
    event_log.append(EVENTS[10:20])
    assert subscriber.next_batch() == []
    event_log.append(EVENTS[20:40])
    seqs = [json.loads(frames.payload(frame))["payload"]["seq"] for frame in subscriber.next_batch()]
    assert seqs == list(range(26, 41))


def test_a_seq_below_what_is_retained_is_refused() -> None:
    numbers = Numbers(_event_log(EVENTS, retention=100), first=1000)
    floor = 1000 + numbers.event_log.start
    with pytest.raises(Refused, match=f"cursor too old.*{floor}$") as refused:
        start(floor - 1, numbers, 0, ahead=False)
    assert refused.value.name == "CursorTooOld"
    assert start(floor, numbers, 0, ahead=False) == Start(position=numbers.event_log.start)
    with pytest.raises(Refused):
        start(0, numbers, 0, ahead=False)


def test_a_lookback_bounds_cursors_and_not_the_tape() -> None:
    numbers = Numbers(_event_log(EVENTS), lookback=50)
    assert (numbers.floor, numbers.event_log.start) == (1950, 0)
    with pytest.raises(Refused):
        start(1950, numbers, 0, ahead=False)
    assert start(1951, numbers, 0, ahead=False) == Start(position=1950)
    lines = Subscriber(numbers.event_log, V1Filter(), 1, floor=numbers.floor).next_batch()
    assert [frames.payload(line) for line in lines] == LINES[1950:]


def test_a_time_that_is_too_old_is_clamped_with_a_notice() -> None:
    numbers = Numbers(_event_log(EVENTS), lookback=50)
    begin = start(EVENTS[3].time_us, numbers, 1 << 60, ahead=False)
    assert "seq 1951" in begin.notice
    assert _read(numbers, Filter(), begin)[0]["seq"] == 1951
    exact = start(EVENTS[1960].time_us, numbers, 1 << 60, ahead=False)
    assert not exact.notice
    assert _read(numbers, Filter(), exact)[0]["seq"] == 1961
    assert start(EVENTS[0].time_us - 5, Numbers(_event_log(EVENTS)), 1 << 60, ahead=False).notice == ""


def test_a_time_in_the_future_is_the_live_tail() -> None:
    numbers = Numbers(_event_log(EVENTS))
    assert start(10**17, numbers, 10**16, ahead=True) == Start()


def test_filters_are_anded() -> None:
    numbers = Numbers(_event_log(EVENTS))
    begin = Start(position=0)
    assert [p["seq"] for p in _read(numbers, Filter(), begin)] == list(range(1, 2001))
    kinds = {p["$type"] for p in _read(numbers, make_filter(["identity", "account"], [], []), begin)}
    assert {str(kind).partition("#")[2] for kind in kinds} == {"identity", "account"}
    both = _read(numbers, make_filter([], [], ["app.bsky.graph.*"]), begin)
    commits = _read(numbers, make_filter(["commit"], [], ["app.bsky.graph.*"]), begin)
    assert 0 < len(commits) < len(both)
    assert all(str(p["collection"]).startswith("app.bsky.graph.") for p in commits)
    assert {p["did"] for p in _read(numbers, make_filter([], [DID], []), begin)} == {DID}


def test_larger_frames_are_skipped() -> None:
    numbers = Numbers(_event_log(EVENTS))
    subscriber = EventSubscriber(numbers, make_filter([], [], [], 500), Start(position=0))
    sizes = [len(frames.payload(frame)) for frame in subscriber.next_batch()]
    assert sizes and max(sizes) <= 500


def test_what_is_no_event_reaches_whoever_asks_for_everything() -> None:
    numbers = Numbers(_event_log([Event(1, b"garbage")]))
    for wanted, expected in ((Filter(), [b"garbage"]), (make_filter(["commit"], [], []), [])):
        batch = EventSubscriber(numbers, wanted, Start(position=0)).next_batch()
        assert [frames.payload(frame) for frame in batch] == expected


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        (b'{"did":"d","time_us":5,"kind":"x"}', b'{"did":"d","time_us":5,"cursor":7,"kind":"x"}'),
        (b'{"did":"d","time_us":5,"cursor":99,"kind":"x"}', b'{"did":"d","time_us":5,"cursor":7,"kind":"x"}'),
        (b'{"kind":"x","did":"d"}', b'{"cursor":7,"kind":"x","did":"d"}'),
        (b"garbage", b"garbage"),
        (b"{}", b"{}"),
    ],
)
def test_cursors_of_v1_events(line: bytes, expected: bytes) -> None:
    assert with_cursor(line, 7) == expected


def test_a_numbered_source_counts_on() -> None:
    source = Numbered(Generated(1, 0.0, 500), 41)
    events = source.take(3, 10**15) + source.take(2, 10**15)
    assert [json.loads(event.line)["cursor"] for event in events] == [41, 42, 43, 44, 45]
    plain = Generated(1, 0.0, 500).take(5, 10**15)
    for event, original in zip(events, plain, strict=True):
        decoded = json.loads(event.line)
        del decoded["cursor"]
        assert decoded == json.loads(original.line)


def test_sync_events_are_for_v2_only() -> None:
    source = Synced(Generated(1, 0.0, 500), 0.05, 9)
    events = [event for _ in range(40) for event in source.take(50, 10**15)]
    assert len(events) == 2000
    syncs = [event for event in events if event.only_v2]
    assert 50 < len(syncs) < 200
    event_log = _event_log(events)
    payloads = _read(Numbers(event_log), make_filter(["sync"], [], []), Start(position=0))
    assert len(payloads) == len(syncs)
    assert all(p["sync"] and p["did"] for p in payloads)
    subscriber = Subscriber(event_log, V1Filter(), 1)
    v1 = []
    while subscriber.behind:
        v1 += [frames.payload(frame) for frame in subscriber.next_batch()]
    assert v1 == [event.line for event in events if not event.only_v2]


def test_a_tape_forgets_sync_events_with_their_positions() -> None:
    event_log = EventLog(100, 1 << 30)
    for i in range(1000):
        event_log.append([Event(i + 1, b"{}", i % 2 == 0)])
    assert all(position >= event_log.start for position in event_log.only_v2)
    assert len(event_log.only_v2) <= 60
