"""Recorded events from files, in file order, in v1 form.

Lives here: lines checked, v2 frames turned into v1 events, rounds of a loop. Must not: pacing, connections.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import IO, Final

import msgspec
import zstandard

from jetstream_simulator import envelope
from jetstream_simulator.errors import SimulatorError
from jetstream_simulator.event_log import Event
from jetstream_simulator.logs import get_logger
from jetstream_simulator.recordings import open_recording

log = get_logger(__name__)
# A recorded frame's time may have lost its end; what is left of it still orders the event.
_TIME: Final = re.compile(r"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(?:\.(\d{1,6}))?")


class _V2(msgspec.Struct):
    type: str = msgspec.field(name="$type")
    did: str = ""
    seq: int = 0
    time: str = ""
    rev: str = ""
    operation: str = ""
    collection: str = ""
    rkey: str = ""
    cid: str | None = None
    record: msgspec.Raw = msgspec.Raw()
    identity: msgspec.Raw = msgspec.Raw()
    account: msgspec.Raw = msgspec.Raw()


def events(paths: Sequence[Path], *, loop: bool = False, keep_invalid: bool = False) -> Iterator[Event]:
    """The events of ``paths``, file after file.

    ``loop`` begins again at the end, each round moved on by the whole replay's span of time: only ``time_us``
    differs. ``keep_invalid`` passes on lines that are not JSON objects; empty lines are always skipped.

    Raises:
        SimulatorError: an unreadable file, a line that is not an event, a loop without events.
    """
    newest = oldest = count = 0
    for event in _round(paths, keep_invalid):
        count += 1
        if event.time_us:
            newest, oldest = max(newest, event.time_us), min(oldest or event.time_us, event.time_us)
        yield event
    if loop and not count:
        raise SimulatorError(f"replay: no events in {', '.join(map(str, paths))}; name files that have some")
    shift = newest - oldest + 1
    number = 0
    while loop:
        number += 1
        for event in _round(paths, keep_invalid):
            yield _shifted(event, number * shift)


def _round(paths: Sequence[Path], keep_invalid: bool) -> Iterator[Event]:
    for path in paths:
        try:
            with open_recording(path) as file:
                yield from _lines(path, file, keep_invalid)
        except (OSError, EOFError, zstandard.ZstdError) as error:
            raise SimulatorError(f"replay: {path}: {error}; name a readable file") from error


def _lines(path: Path, file: IO[bytes], keep_invalid: bool) -> Iterator[Event]:
    for number, raw in enumerate(file, 1):
        line = raw.rstrip(b"\r\n")
        if not line.strip():
            continue
        try:
            read = envelope.read(line)
            event = Event(read.time_us, line) if not read.type else _from_v2(read)
        except (ValueError, msgspec.DecodeError) as error:
            if not keep_invalid:
                raise SimulatorError(
                    f"replay: {path} line {number} is not an event ({error}); "
                    "mend the file, or send the line as it is with --keep-invalid"
                ) from None
            event = Event(0, line)
        if event is None:
            log.info("skipped a v2 frame that v1 does not send", file=path, line=number)
            continue
        yield event


def _from_v2(frame: envelope.Envelope) -> Event | None:
    """A v2 ``subscribeEvents`` frame as a v2 host sends it on ``/subscribe``; None for what v1 does not have."""
    if frame.type != "message":
        return None
    v2 = msgspec.json.decode(frame.payload, type=_V2)
    kind = v2.type.rpartition("#")[2]
    time_us = _time_us(v2.time)
    inner: object
    if kind == "commit":
        commit: dict[str, object] = {
            "rev": v2.rev,
            "operation": v2.operation,
            "collection": v2.collection,
            "rkey": v2.rkey,
        }
        if v2.cid is not None:
            commit["cid"] = v2.cid
        if bytes(v2.record):
            commit["record"] = v2.record
        inner = commit
    elif kind == "identity":
        inner = v2.identity
    elif kind == "account":
        inner = v2.account
    else:
        return None
    event = {"did": v2.did, "time_us": time_us, "cursor": v2.seq, "kind": kind, kind: inner}
    return Event(time_us, msgspec.json.encode(event))


def _time_us(text: str) -> int:
    match = _TIME.match(text)
    if match is None:
        raise envelope.NotAnObject(f"no time in the v2 frame: {text[:40]!r}")
    second = datetime.fromisoformat(match[1]).replace(tzinfo=UTC)
    return int(second.timestamp()) * 1_000_000 + int((match[2] or "0").ljust(6, "0"))


def _shifted(event: Event, shift_us: int) -> Event:
    if not event.time_us:
        return event
    moved = event.time_us + shift_us
    line = re.sub(rb'("time_us"\s*:\s*)%d\b' % event.time_us, rb"\g<1>%d" % moved, event.line, count=1)
    return Event(moved, line)
