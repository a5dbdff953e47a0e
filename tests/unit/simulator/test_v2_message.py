"""v1 events as v2 frames: every part byte for byte, whatever is odd about it."""

from __future__ import annotations

import json
import re
from random import Random

import pytest

from jetstream_simulator import generate, malformed, replay
from jetstream_simulator.v2 import message
from tests.support.recorded import Recording

STREAM = "network.bsky.jetstream.subscribeEvents"
LINES = list(generate.events(3000, seed=21))


def test_every_event_keeps_its_parts() -> None:
    for seq, line in enumerate(LINES, 5):
        event = json.loads(line)
        frame = json.loads(message.read(line).frame(seq))
        payload = frame["payload"]
        assert frame["$type"] == "message"
        assert payload.pop("$type") == f"{STREAM}#{event['kind']}"
        assert (payload.pop("seq"), payload.pop("did")) == (seq, event["did"])
        assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z", payload["time"])
        assert replay._time_us(payload.pop("time")) == event["time_us"]
        kind = event["kind"]
        assert payload == (event["commit"] if kind == "commit" else {kind: event[kind]})


def test_records_are_byte_for_byte_and_keys_sorted() -> None:
    for line in LINES:
        frame = message.read(line).frame(1)
        keys = list(json.loads(frame)["payload"])
        assert keys == sorted(keys)
        if b',"record":' in line:
            record = line[line.index(b',"record":') : line.rindex(b',"cid":')]
            assert record in frame


@pytest.mark.parametrize(
    "layout",
    [
        b'{"did":"d","time_us":1700000000000000,"kind":"commit","commit":{"rev":"r","operation":"create",'
        b'"collection":"a.b.c","rkey":"k","cid":"bafy","record":{"cid":"x"}}}',
        b'{"kind":"commit","commit":{"record":{"cid":"x"},"cid":"bafy","rkey":"k","collection":"a.b.c",'
        b'"operation":"create","rev":"r"},"time_us":1700000000000000,"did":"d"}',
        b'{"did":"d","time_us":1700000000000000,"cursor":77,"kind":"commit","commit":{"rev":"r",'
        b'"operation":"create","collection":"a.b.c","rkey":"k","record":{"cid":"x"},"cid":"bafy"}}',
    ],
)
def test_the_order_of_a_lines_keys_does_not_matter(layout: bytes) -> None:
    assert message.read(layout).frame(9) == (
        b'{"$type":"message","payload":{"$type":"%b#commit","cid":"bafy","collection":"a.b.c","did":"d",'
        b'"operation":"create","record":{"cid":"x"},"rev":"r","rkey":"k","seq":9,'
        b'"time":"2023-11-14T22:13:20.000000Z"}}' % STREAM.encode()
    )


@pytest.mark.parametrize(
    "record",
    [b'{"a":{"cid":"x"}}', b'{"a":",\\"cid\\":\\"x"}', b'{"cid":"x"}', b'"x"', b"[]", b'{"z":[{"cid":"x"}]}'],
)
def test_a_record_without_cid_is_not_cut(record: bytes) -> None:
    head = b'{"did":"d","time_us":1700000000000000,"kind":"commit","commit":{"rev":"r","operation":"create",'
    line = head + b'"collection":"a.b.c","rkey":"k","record":%b}}' % record
    payload = json.loads(message.read(line).frame(1))["payload"]
    assert payload["record"] == json.loads(record)
    assert "cid" not in payload


def test_every_fault_goes_through_or_is_unreadable() -> None:
    outside = {"json_truncated", "json_list", "not_json"}
    for name, spoil in malformed.FAULTS.items():
        spoilt = malformed.Envelope(
            "did:plc:x", 1_780_000_000_000_000, "r", "k", "2026", {"cid": "c", "uri": "at://x"}
        )
        line = spoil(spoilt)
        if name in outside:
            with pytest.raises(message.Unreadable):
                message.read(line)
            continue
        frame = message.read(line).frame(3)
        assert frame.startswith(b'{"$type":"message","payload":{"$type":"' + STREAM.encode() + b"#")
        assert b'"seq":3,"time":' in frame
        if name not in ("deeply_nested", "lone_surrogate"):
            assert json.loads(frame)["payload"]["seq"] == 3


def test_odd_events_of_the_generator_keep_their_bytes() -> None:
    rng = Random(1)
    for line in generate.events(2000, seed=4, malformed=1.0):
        try:
            frame = message.read(line).frame(rng.randrange(10**9))
        except message.Unreadable:
            continue
        found = re.search(rb'"text":[^,}]*', line)
        assert found is None or found[0] in frame


@pytest.mark.parametrize(
    ("time_us", "written"),
    [
        ("1786452634283860", "2026-08-11T12:50:34.283860Z"),
        ('"1786452634283860"', "1786452634283860"),
        ("99999999999999999999", 99999999999999999999),
        ("5", 5),
        ("null", None),
    ],
)
def test_times(time_us: str, written: object) -> None:
    line = f'{{"did":"d","time_us":{time_us},"kind":"identity","identity":{{"did":"d"}}}}'.encode()
    assert json.loads(message.read(line).frame(1))["payload"]["time"] == written


def test_info_and_error() -> None:
    assert json.loads(message.info("OutdatedCursor", "from 7")) == {
        "$type": "message",
        "payload": {"$type": f"{STREAM}#info", "name": "OutdatedCursor", "message": "from 7"},
    }
    error = {"$type": "error", "error": "ConsumerTooSlow", "message": "far behind"}
    assert json.loads(message.error("ConsumerTooSlow", "far behind")) == error


def test_recorded_frames_come_out_as_they_went_in(recording: Recording) -> None:
    frames = recording.frames.read_bytes().splitlines()
    same = 0
    for frame, event in zip(frames, replay.events([recording.frames]), strict=True):
        payload = json.loads(frame)["payload"]
        # Some lost the end of their time, and what follows it, when they were recorded.
        if re.fullmatch(r"[0-9T:-]{19}\.\d{6}Z", payload["time"]):
            assert message.read(event.line).frame(payload["seq"]) == frame
            same += 1
    assert same >= 3
