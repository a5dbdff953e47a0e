"""Replay: files as they are, in order; v2 frames in v1 form; loops with new times; errors that name the line."""

from __future__ import annotations

import gzip
import json
from itertools import islice
from pathlib import Path

import pytest
import zstandard

from jetstream_simulator import generate, replay
from jetstream_simulator.errors import SimulatorError
from jetstream_simulator.event_log import Event
from tests.support.recorded import Recording

LINES = list(generate.events(200, seed=5, malformed=0.0))


def _file(path: Path, lines: list[bytes]) -> Path:
    path.write_bytes(b"\n".join(lines) + b"\n")
    return path


def test_lines_come_byte_for_byte_in_file_order(tmp_path: Path) -> None:
    late, early = _file(tmp_path / "a", LINES[100:]), _file(tmp_path / "b", LINES[:100])
    events = list(replay.events([late, early]))
    assert [event.line for event in events] == LINES[100:] + LINES[:100]
    assert [event.time_us for event in events] == [json.loads(event.line)["time_us"] for event in events]


def test_compressed_files(tmp_path: Path) -> None:
    text = b"".join(line + b"\n" for line in LINES)
    (tmp_path / "a.gz").write_bytes(gzip.compress(text, mtime=0))
    half = len(LINES) // 2
    halves = (b"".join(line + b"\n" for line in part) for part in (LINES[:half], LINES[half:]))
    (tmp_path / "a.zst").write_bytes(b"".join(zstandard.compress(part) for part in halves))
    for name in ("a.gz", "a.zst"):
        assert [event.line for event in replay.events([tmp_path / name])] == LINES


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("a.gz", b"no gzip"),
        ("a.zst", b"no zstd"),
        ("a.gz", gzip.compress(b"{}" * 99, mtime=0)[:-9]),
        ("a.zst", zstandard.compress(b"{}\n" * 99)[:-2]),
        ("a.zst", zstandard.compress(b"{}\n") + zstandard.compress(b"{}\n")[:-2]),
    ],
)
def test_damaged_files_are_named(tmp_path: Path, name: str, content: bytes) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(SimulatorError, match=name):
        list(replay.events([tmp_path / name]))


@pytest.mark.parametrize("bad", [b"no json", b"[1]", b'{"did":', b"\xff\xfe", b'{"$type":"message","payload":{}}'])
def test_a_line_that_is_no_event(tmp_path: Path, bad: bytes) -> None:
    path = _file(tmp_path / "events", [LINES[0], b"", bad, LINES[1]])
    with pytest.raises(SimulatorError, match=r"events line 3 .*--keep-invalid"):
        list(replay.events([path]))
    assert [event.line for event in replay.events([path], keep_invalid=True)] == [LINES[0], bad, LINES[1]]


@pytest.mark.parametrize(
    "line",
    [rb'{"time_us":5,"text":"\ud83d"}', b'{"a":' + b"[" * 12000 + b"]" * 12000 + b"}", b'{"did":7,"time_us":5}'],
)
def test_odd_objects_are_events(tmp_path: Path, line: bytes) -> None:
    [event] = replay.events([_file(tmp_path / "events", [line])])
    assert event.line == line
    assert event.time_us in (0, 5)


def test_a_loop_moves_time_on_and_nothing_else(tmp_path: Path) -> None:
    path = _file(tmp_path / "events", LINES)
    rounds = list(islice(replay.events([path], loop=True), 3 * len(LINES)))
    times = [event.time_us for event in rounds]
    assert times == sorted(set(times))
    for first, third in zip(rounds[: len(LINES)], rounds[2 * len(LINES) :], strict=True):
        assert third.line == first.line.replace(b"%d" % first.time_us, b"%d" % third.time_us, 1)
        assert json.loads(third.line)["time_us"] == third.time_us


def test_a_loop_without_events_ends(tmp_path: Path) -> None:
    with pytest.raises(SimulatorError, match="no events"):
        list(replay.events([_file(tmp_path / "events", [b""])], loop=True))


V2 = "network.bsky.jetstream.subscribeEvents"


def _v2(tmp_path: Path, payload: dict[str, object]) -> list[Event]:
    frame = json.dumps({"$type": "message", "payload": payload}).encode()
    return list(replay.events([_file(tmp_path / "events", [frame])]))


def test_a_v2_commit_becomes_a_v1_event(tmp_path: Path) -> None:
    commit = {"rev": "3a", "operation": "create", "collection": "a.b.c", "rkey": "self", "cid": "bafy"}
    record = {"$type": "a.b.c", "text": "é"}
    payload = {"$type": f"{V2}#commit", "seq": 9, "did": "did:plc:x", "time": "2026-08-11T12:50:34.283860Z"}
    [event] = _v2(tmp_path, payload | commit | {"record": record})
    expected = {"did": "did:plc:x", "time_us": 1_786_452_634_283_860, "cursor": 9, "kind": "commit"}
    assert json.loads(event.line) == expected | {"commit": commit | {"record": record}}


def test_a_v2_delete_has_neither_record_nor_cid(tmp_path: Path) -> None:
    commit = {"rev": "3a", "operation": "delete", "collection": "a.b.c", "rkey": "self"}
    payload = {"$type": f"{V2}#commit", "seq": 9, "did": "did:plc:x", "time": "2026-08-11T12:50:34Z"}
    [event] = _v2(tmp_path, payload | commit)
    assert json.loads(event.line)["commit"] == commit


@pytest.mark.parametrize("kind", ["identity", "account"])
def test_v2_identity_and_account_keep_the_upstream_event(tmp_path: Path, kind: str) -> None:
    inner = {"did": "did:plc:x", "seq": 30_340_180_350, "time": "2026-08-11T12:00:00Z"}
    payload = {"$type": f"{V2}#{kind}", "seq": 9, "did": "did:plc:x", "time": "2026-08-11T12:50:34.5Z"}
    [event] = _v2(tmp_path, payload | {kind: inner})
    decoded = json.loads(event.line)
    assert (decoded["kind"], decoded[kind], decoded["time_us"] % 1_000_000) == (kind, inner, 500_000)


@pytest.mark.parametrize("kind", ["sync", "info"])
def test_what_v1_has_not_is_left_out(tmp_path: Path, kind: str) -> None:
    payload = {"$type": f"{V2}#{kind}", "seq": 9, "did": "did:plc:x", "time": "2026-08-11T12:50:34Z"}
    assert _v2(tmp_path, payload) == []


def test_every_recorded_file_is_in_v1_form(recording: Recording) -> None:
    paths = [*recording.v1, recording.frames]
    events = list(replay.events(paths))
    assert len(events) == sum(len(path.read_bytes().splitlines()) for path in paths)
    for event in events:
        decoded = json.loads(event.line)
        assert decoded["time_us"] == event.time_us > 1_600_000_000_000_000
        assert decoded["kind"] in decoded
