"""The copy of one queue: its entries, in order, as a raw file and what the manifest says of it.

Must not: choose the spans, or delete anything.
"""

from __future__ import annotations

import hashlib
from typing import BinaryIO, Final

import redis

from firehose import crash
from firehose.batch import buffer
from firehose.batch.frame import Entry, Frame, frame_of
from firehose.batch.gaps import Span
from firehose.batch.manifest import QueueFile
from firehose.store import LakePath
from ingester.contract.logs import get_logger

log = get_logger(__name__)

#: This many odd entries of a queue are logged one by one.
_LOGGED: Final = 10


def copy_queue(
    client: redis.Redis, spans: list[Span], own: Span, folder: LakePath, queue: str
) -> QueueFile | None:
    """Copy the entries of ``spans`` (ms) durably into ``folder``; None, and no file, if there is none.

    ``own`` of them is the batch's interval: frames of the others are late.
    """
    path = folder / f"{queue}.jsonl.zst"
    with path.replacing() as part, part.open("wb") as out:
        copy = _Copy(out, queue)
        ranges = [found for span in spans if (found := copy.span(client, *span, late=span != own))]
    if not ranges:
        path.remove()
        return None
    return copy.described(path.name, ranges)


class _Copy:
    """Counts and hashes while it writes."""

    def __init__(self, out: BinaryIO, queue: str) -> None:
        self._out, self._queue = out, queue
        self._digest = hashlib.sha256()
        self._frames = self._events = self._size = self._foreign = self._miscounted = self._late = 0
        self._first_us = self._last_us = 0
        self._index: list[tuple[int, int]] = []

    def span(self, client: redis.Redis, start_ms: int, end_ms: int, *, late: bool) -> tuple[str, str] | None:
        """Copy one span; returns the first and last id, or None."""
        first = last = b""
        for chunk in buffer.frames(client, self._queue, str(start_ms), str(end_ms - 1)):
            for entry in chunk:
                self._add(entry)
            self._late += len(chunk) if late else 0
            first, last = first or chunk[0].id, chunk[-1].id
            crash.reached(crash.Point.RAW_COPYING)
        return (first.decode(), last.decode()) if first else None

    def _add(self, entry: Entry) -> None:
        frame = frame_of(self._queue, entry)
        self._out.write(frame.content)
        self._digest.update(frame.content)
        self._size += len(frame.content)
        self._index.append((len(frame.content), frame.size))
        self._frames += 1
        self._events += frame.events
        self._first_us = self._first_us or frame.first_us
        self._last_us = frame.last_us or self._last_us
        self._note(entry, frame)

    def _note(self, entry: Entry, frame: Frame) -> None:
        self._foreign += bool(frame.foreign)
        self._miscounted += frame.miscounted
        if (not frame.foreign and not frame.miscounted) or self._foreign + self._miscounted > _LOGGED:
            return
        said = frame.foreign or f"a frame of {self._queue} that says another number than its {frame.events} events"
        log.error("foreign entry", entry=entry.id.decode(), reason=said)

    def described(self, name: str, ranges: list[tuple[str, str]]) -> QueueFile:
        """The manifest's description of the file."""
        return QueueFile(
            name=name,
            frames=self._frames,
            events=self._events,
            size=self._size,
            sha256=self._digest.hexdigest(),
            ranges=ranges,
            first_us=self._first_us,
            last_us=self._last_us,
            foreign=self._foreign,
            miscounted=self._miscounted,
            late=self._late,
            index=self._index,
        )
