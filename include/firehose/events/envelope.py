"""The envelope of a Jetstream v1 event (jetstream.md, "Events"), decoded strictly; the record stays raw.

v2's ``sync`` events, which v1 does not have, come in the same form.

Lives here: the wire types and the reasons why a line is not an event. Must not: look into records.
"""

from __future__ import annotations

import base64
import re
from typing import Annotated, Any, Final, Literal

import msgspec

from firehose.syntax import DID
from ingester.contract.wire import DEAD_LETTER_KIND, NEW_KIND

#: Deeper events are refused. How deep a parser can go depends on how deep its caller already is, and a rerun from
#: elsewhere must give the same rows.
MAX_DEPTH: Final = 320
#: What the column holds: JSON has larger numbers, and one of them would fail a whole chunk of rows.
_Time = Annotated[int, msgspec.Meta(ge=-(2**63), le=2**63 - 1)]
_STRING: Final = re.compile(rb'"(?:[^"\\]++|\\.)*+"')


class Undecodable(ValueError):
    """A line that is not an event. ``raw`` is what came over the wire, ``time_us`` the best guess of its time.

    ``new_kind``: nothing is wrong with it, but this version does not know events of its kind.
    """

    def __init__(self, reason: str, raw: bytes, time_us: int = 0, *, new_kind: bool = False) -> None:
        super().__init__(reason)
        self.new_kind = new_kind
        self.reason = reason
        self.raw = raw
        self.time_us = time_us


class JetstreamCommit(msgspec.Struct, gc=False):
    """One operation on one record. A delete has neither ``record`` nor ``cid``."""

    rev: str
    operation: str
    collection: str
    rkey: str
    record: msgspec.Raw = msgspec.Raw(b"")
    cid: str | None = None
    resync: Any = None  # true: see ingester/contract/resyncs.py


class JetstreamEvent(msgspec.Struct, gc=False):
    """One event; exactly the part that ``kind`` names is there.

    ``displayed_us``: the time that the host shows, where it is not ``time_us``.
    """

    did: str
    time_us: _Time
    kind: str
    commit: JetstreamCommit | None = None
    identity: dict[str, Any] | None = None
    account: dict[str, Any] | None = None
    sync: dict[str, Any] | None = None
    displayed_us: Any = None


class _DeadLetter(msgspec.Struct):
    kind: Literal["#undecodable"]  # as wire.DEAD_LETTER_KIND
    error: str
    bytes: str
    time_us: _Time = 0


_decode = msgspec.json.Decoder(JetstreamEvent).decode
_decode_dead_letter = msgspec.json.Decoder(_DeadLetter).decode
_TOO_DEEP = f"nested over {MAX_DEPTH} deep"
_MARK = f'"kind":"{DEAD_LETTER_KIND}"'.encode()


def decode_event(line: bytes) -> JetstreamEvent:
    """The event of one line.

    Raises:
        Undecodable: with the reason and the original bytes.
    """
    try:
        event = _decode(line)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        if _MARK in line and (letter := revive(line)):
            raise letter from None
        reason = _TOO_DEEP if isinstance(error, RecursionError) else error
        raise Undecodable(f"envelope: {reason}", line) from None
    # The length and the count spare most lines the walk.
    if len(line) > 2 * MAX_DEPTH and line.count(b"[") + line.count(b"{") > MAX_DEPTH and _depth(line) > MAX_DEPTH:
        raise Undecodable(f"envelope: {_TOO_DEEP}", line, event.time_us)
    if (event.kind == "commit" and event.commit) or (event.kind in PARTS and getattr(event, event.kind)):
        return event
    if event.kind and event.kind not in _ALL_PARTS and not any(getattr(event, part) for part in _ALL_PARTS):
        new = DID.matches(event.did)
        raise Undecodable(f"envelope: kind {event.kind[:64]!r} is not known", line, event.time_us, new_kind=new)
    raise Undecodable(f"envelope: kind {event.kind[:64]!r} without its part", line, event.time_us)


#: Kinds other than ``commit``.
PARTS: Final = ("identity", "account", "sync")
_ALL_PARTS: Final = ("commit", *PARTS)


def revive(line: bytes) -> Undecodable | None:
    """The message that the ingester could not read, as it came; None where the line is not a dead letter."""
    try:
        letter = _decode_dead_letter(line)
        raw = base64.b64decode(letter.bytes, validate=True)
    except (msgspec.MsgspecError, ValueError, RecursionError):
        return None
    new_kind = letter.error.startswith(NEW_KIND)
    return Undecodable(f"message: {letter.error}", raw, letter.time_us, new_kind=new_kind)


def _depth(line: bytes) -> int:
    """How deep the objects and arrays of a line are nested. Only for what a parser has taken."""
    depth = deepest = 0
    for byte in _STRING.sub(b"", line):
        if byte in b"[{":
            depth += 1
            deepest = max(deepest, depth)
        elif byte in b"]}":
            depth -= 1
    return deepest
