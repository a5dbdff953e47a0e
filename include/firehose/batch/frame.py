"""A stream entry, judged: a frame of the ingester's, or something that somebody else has put there.

A frame goes to the raw file as it is. A foreign entry goes there as a dead letter, which validation puts in
quarantine with its bytes and the reason, so that it is counted as any other message that cannot be read. Must not:
do I/O."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final, NamedTuple

import zstandard

from firehose.batch.raw import NotFrames, count_lines
from ingester.contract import wire

#: The most that a frame may hold: as many events as FIREHOSE_FRAME_EVENTS allows, and many times the bytes that
#: the ingester puts in one. More is a bomb.
MOST_LINES: Final = 5000
MOST_BYTES: Final = 256 * 1024 * 1024
# A dead letter holds at most this much of a foreign entry; a larger one takes several.
_LETTER_BYTES: Final = 16 * 1024 * 1024
_FIELDS: Final = {wire.FIELD_COUNT, wire.FIELD_FIRST_US, wire.FIELD_LAST_US, wire.FIELD_PAYLOAD}
_MOST_INT: Final = 2**63 - 1


class Entry(NamedTuple):
    """An entry of a stream. ``fields`` are names and values in turn, as they are: a name may be there twice."""

    id: bytes
    fields: tuple[bytes, ...]

    @property
    def ms(self) -> int:
        """The time in its id: Redis' clock, unless somebody chose it."""
        return int(self.id.partition(b"-")[0])

    def get(self, name: bytes) -> bytes:
        """The first value of a field; empty if there is none."""
        return next((value for known, value in self.pairs() if known == name), b"")

    def pairs(self) -> Iterator[tuple[bytes, bytes]]:
        """Names with their values."""
        return zip(self.fields[::2], self.fields[1::2], strict=True)


class Frame(NamedTuple):
    """What goes to the raw file for an entry. ``events`` are the lines in ``content``, counted, and
    ``size`` their bytes.

    ``first_us`` and ``last_us`` are as the entry says, 0 where it says nothing sensible. ``foreign``: what is
    wrong with the entry, which ``content`` keeps as dead letters; empty: it is a frame. ``miscounted``: it is one,
    and holds another number of events than it says.
    """

    content: bytes
    events: int
    size: int
    first_us: int = 0
    last_us: int = 0
    foreign: str = ""
    miscounted: bool = False


def frame_of(queue: str, entry: Entry) -> Frame:
    """What becomes of an entry of a queue's stream."""
    if len(entry.fields) != 2 * len(_FIELDS) or set(entry.fields[::2]) != _FIELDS:
        names = b", ".join(entry.fields[::2])[:100].decode(errors="backslashreplace")
        return _kept(queue, entry, f"its fields are {names}")
    payload = entry.get(wire.FIELD_PAYLOAD)
    try:
        events, size = count_lines(payload, MOST_LINES, MOST_BYTES)
    except NotFrames as error:
        return _kept(queue, entry, f"its payload {error}")
    count, first, last = (
        _int(entry.get(name)) for name in (wire.FIELD_COUNT, wire.FIELD_FIRST_US, wire.FIELD_LAST_US)
    )
    return Frame(payload, events, size, first, last, miscounted=count != events)


def copied_form(queue: str, entry: Entry) -> bytes:
    """What the raw file holds of an entry."""
    return frame_of(queue, entry).content


def presumed_form(queue: str, entry: Entry) -> bytes:
    """The same, of an entry that is known to have been a frame when it was copied."""
    return entry.get(wire.FIELD_PAYLOAD)


def as_command(*arguments: bytes) -> bytes:
    """A command as it goes over the wire: ``redis-cli --pipe`` gives what is kept in this form back to Redis."""
    parts = [b"*%d\r\n" % len(arguments)]
    for argument in arguments:
        parts += [b"$%d\r\n" % len(argument), argument, b"\r\n"]
    return b"".join(parts)


def _kept(queue: str, entry: Entry, why: str) -> Frame:
    command = as_command(b"XADD", wire.stream_key(queue).encode(), entry.id, *entry.fields)
    reason = f"an entry of {wire.stream_key(queue)} that is not a frame: {why}"
    time_us = entry.ms * 1000 if entry.ms * 1000 <= _MOST_INT else 0
    parts = [command[start : start + _LETTER_BYTES] for start in range(0, len(command), _LETTER_BYTES)]
    content, size = [], 0
    for number, part in enumerate(parts, 1):
        which = f" (part {number} of {len(parts)})" if len(parts) > 1 else ""
        line = wire.join_lines([wire.dead_letter(part, reason + which, time_us)])
        size += len(line)
        content.append(zstandard.ZstdCompressor(level=1, write_checksum=True).compress(line))
    return Frame(b"".join(content), len(parts), size, foreign=reason)


def _int(text: bytes) -> int:
    """A count or a time; 0 where it is not one."""
    number = int(text) if text.isdigit() and len(text) < 20 else 0
    return number if number <= _MOST_INT else 0
