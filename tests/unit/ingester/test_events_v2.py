"""v2 frames become the events that v1 sends for them, and everything else is kept or named."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingester.buffer.buffers import BufferV2
from ingester.contract import wire
from ingester.contract.resyncs import Resyncs
from ingester.jetstream import events_v2
from ingester.jetstream.disconnected import Disconnected
from ingester.jetstream.events_v2 import PLAUSIBLE_SEQ, UNREADABLE, SourceNotice, dead_letter
from ingester.position.position import AfterEvent
from tests.support.recorded import Recording

METHOD = "network.bsky.jetstream.subscribeEvents"
TIME = "2026-08-11T12:50:34.283860Z"
TIME_US = 1_786_452_634_283_860
HERE = AfterEvent(41, 7, "h", "v2")


def read(message: bytes) -> events_v2.QueueLine:
    """The event of a frame, no resync being at work."""
    return events_v2.read(message, Resyncs())


def frame(kind: str, fields: str = "", *, seq: object = 42, time: str = f'"{TIME}"') -> bytes:
    """A message frame, its fields ending in ``fields``."""
    head = f'"$type":"{METHOD}#{kind}","did":"did:plc:x","seq":{seq},"time":{time}'
    return f'{{"$type":"message","payload":{{{head}{fields}}}}}'.encode()


def commit(collection: str = "app.bsky.feed.post", record: str = '{"text": "a\\u0026b" , "n":1.0}') -> bytes:
    """A create in ``collection``."""
    own = f',"rev":"r","operation":"create","collection":"{collection}","rkey":"k","record":{record},"cid":"c"'
    return frame("commit", own)


@pytest.mark.parametrize(("collection", "queue"), [*wire.COLLECTION_QUEUES.items(), ("a.b.c", wire.OTHER)])
def test_a_commit_is_v1s_and_its_record_the_same_bytes(collection: str, queue: str) -> None:
    event = read(commit(collection))
    assert event[:3] == (queue, TIME_US, 42)
    assert event.line == (
        b'{"did":"did:plc:x","time_us":%d,"kind":"commit","commit":{"rev":"r","operation":"create",'
        b'"collection":"%b","rkey":"k","record":{"text": "a\\u0026b" , "n":1.0},"cid":"c"}}'
        % (TIME_US, collection.encode())
    )


def test_a_delete_has_neither_record_nor_cid() -> None:
    event = read(frame("commit", ',"rev":"r","operation":"delete","collection":"app.bsky.feed.like","rkey":"k"'))
    assert event.queue == wire.LIKES
    assert set(msgspec.json.decode(event.line)["commit"]) == {"rev", "operation", "collection", "rkey"}


@pytest.mark.parametrize(
    ("kind", "queue"),
    [("identity", wire.IDENTITIES), ("account", wire.ACCOUNTS), ("sync", wire.OTHER), ("later", wire.OTHER)],
)
def test_other_kinds_keep_their_part(kind: str, queue: str) -> None:
    event = read(frame(kind, f',"{kind}":{{"seq":30000000000,"time":"x"}}'))
    assert event[:3] == (queue, TIME_US, 42)
    expected = b'{"did":"did:plc:x","time_us":%d,"kind":"%b","%b":{"seq":30000000000,"time":"x"}}'
    assert event.line == expected % (TIME_US, kind.encode(), kind.encode())


def test_fields_that_nobody_knows_yet_are_kept() -> None:
    odd = read(commit().replace(b'"cid":"c"', b'"cid":"c","sig":[1, 2]'))
    assert odd.queue == wire.POSTS and odd.line.endswith(b'"cid":"c","sig":[1, 2]}}')
    account = read(frame("account", ',"account":{"active":true},"hosts":[1]'))
    assert msgspec.json.decode(account.line)["hosts"] == [1]


@pytest.mark.parametrize(
    ("time", "time_us"),
    [
        ("1970-01-01T00:00:00.000000Z", 0),
        ("2026-08-11T12:50:34Z", TIME_US - 283_860),
        ("2026-08-11T14:50:34.28386+02:00", TIME_US),
        ("9999-12-31T23:59:59.999999Z", 253_402_300_799_999_999),
    ],
)
def test_times(time: str, time_us: int) -> None:
    assert read(frame("identity", time=f'"{time}"')).time_us == time_us
    assert read(commit().replace(TIME.encode(), time.encode())).time_us == time_us


UNREADABLES = {
    "empty": b"",
    "array": b"[]",
    "v1": b'{"did":"d","time_us":5,"kind":"identity"}',
    "no-payload": b'{"$type":"message"}',
    "payload-null": b'{"$type":"message","payload":null}',
    "type": b'{"$type":"batch","payload":{}}',
    "no-seq": commit().replace(b'"seq"', b'"sequence"'),
    "no-did": commit().replace(b'"did"', b'"who"'),
    "no-time": commit().replace(b'"time"', b'"when"'),
    "seq-text": frame("commit", seq='"42"'),
    "seq-negative": frame("commit", seq=-1),
    "seq-is-a-time": frame("commit", seq=10**15),
    "time-damaged": frame("commit", time='"2026-08-11T12:49:09.405k2t"'),
    "time-local": frame("commit", time='"2026-08-11T12:49:09.405000"'),
    "time-number": frame("identity", time="5"),
    "time-before-1970": frame("commit", time='"1969-12-31T23:59:59Z"'),
    "time-before-1970-identity": frame("identity", time='"0001-01-01T00:00:00Z"'),
    "collection-number": commit().replace(b'"app.bsky.feed.post"', b"5"),
    "taken": frame("identity", ',"commit":5'),
    "nan": commit(record="NaN"),
    "surrogate": commit(record='"\\ud83d"'),
    "deep": commit(record="[" * 20_000 + "]" * 20_000),
    "cut": commit()[:-3],
    "bad-utf8": b"\xff\xfe",
}


@pytest.mark.parametrize("message", UNREADABLES.values(), ids=UNREADABLES.keys())
def test_what_is_no_event_is_kept_as_a_dead_letter(message: bytes) -> None:
    with pytest.raises(UNREADABLE):
        read(message)
    buffer = BufferV2(HERE, "h")
    buffer.add(message)
    (packed,) = buffer.pack(10)
    assert (packed.queue, packed.first_us, buffer.count) == (wire.OTHER, 7, 1)
    assert buffer.position in (HERE, replace(HERE, cursor=42))
    letter = msgspec.json.decode(dead_letter(message, ValueError("why"), 7, 41).line)
    assert msgspec.convert(letter["bytes"], bytes) == message
    assert (letter["kind"], letter["time_us"], letter["error"]) == (wire.DEAD_LETTER_KIND, 7, "ValueError: why")


@pytest.mark.parametrize(
    ("message", "last", "seq"),
    [
        (commit(record="NaN"), 41, 42),
        (b'{"seq":50,"account":{"seq":44}', 41, 44),  # the least: one too far ahead would skip events
        (b'{"seq":30000000000}', 41, 41),
        (b'{"seq":40}', 41, 41),
        (b'{"text":"\\"seq\\":44"', 41, 41),
        (b'{"seq":%d}' % (42 + PLAUSIBLE_SEQ), 41, 41),
        (b'{"seq":5}', 0, 0),  # nothing of this host is known yet
    ],
)
def test_the_cursor_moves_on_over_a_dead_letter(message: bytes, last: int, seq: int) -> None:
    assert dead_letter(message, ValueError("x"), 7, last).seq == seq


def test_errors_and_notices_are_no_events() -> None:
    with pytest.raises(Disconnected, match="ConsumerTooSlow: too slow"):
        read(b'{"$type":"error","error":"ConsumerTooSlow","message":"too slow"}')
    info = b'{"$type":"message","payload":{"$type":"%b#info","name":"OutdatedCursor","message":"from 9"}}'
    with pytest.raises(SourceNotice) as caught:
        read(info % METHOD.encode())
    assert (caught.value.name, caught.value.message) == ("OutdatedCursor", "from 9")


JSON: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**70), 2**70) | st.text() | st.floats(allow_nan=False),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=10,
)
NAMES = st.sampled_from(["$type", "seq", "did", "time", "collection", "record", "identity", "commit", "kind", "x"])
KINDS = st.sampled_from([f"{METHOD}#{kind}" for kind in ("commit", "identity", "account", "sync", "x", "")])


@given(
    st.binary()
    | JSON.map(json.dumps).map(str.encode)
    | st.tuples(
        KINDS, st.dictionaries(NAMES, JSON | st.just(TIME) | st.just(42)), st.dictionaries(NAMES, JSON, max_size=2)
    ).map(
        lambda parts: json.dumps(
            {"$type": "message", "payload": {**parts[1], "$type": parts[0], **parts[2]}}
        ).encode()
    )
)
def test_any_message_leaves_a_frame_that_can_be_packed(message: bytes) -> None:
    for method in (BufferV2.begin, BufferV2.add):
        buffer = BufferV2(HERE, "h")
        try:
            method(buffer, message)
        except (SourceNotice, Disconnected):
            continue
        (packed,) = buffer.pack(10)
        assert packed.events == 1 and packed.first_us == packed.last_us >= 0


def test_recorded_frames_and_v1_events_of_the_same_records_agree(recording: Recording) -> None:
    seen = 0
    for message in recording.frames.read_bytes().splitlines():
        payload = msgspec.json.decode(message)["payload"]
        whole = message.replace(msgspec.json.encode(payload["time"]), f'"{TIME}"'.encode())  # some are damaged
        head = ("$type", "seq", "did", "time")
        expected = {"did": payload["did"], "time_us": TIME_US, "kind": "commit"}
        event = read(whole)
        part = {name: value for name, value in payload.items() if name not in head}
        assert msgspec.json.decode(event.line) == expected | {"commit": part}
        assert event.seq == payload["seq"]
        seen += 1
    assert seen
