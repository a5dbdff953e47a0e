"""A v1 event as the ``subscribeEvents`` frame of the same event, its parts taken over byte for byte.

Lives here: the JSON of messages, info and error frames. Must not: websocket frames, filters, the tape.
"""

from __future__ import annotations

import re
from typing import Final, NamedTuple

import msgspec

from firehose.simulator import identifiers

STREAM: Final = "network.bsky.jetstream.subscribeEvents"
KINDS: Final = ("commit", "identity", "account", "sync")
_HEADS: Final = {kind: f'{{"$type":"message","payload":{{"$type":"{STREAM}#{kind}"'.encode() for kind in KINDS}
_NOTHING: Final = msgspec.Raw()
# What msgspec refuses and the simulator still sends: lone surrogates, NaN, nesting without end.
_ODD_RECORD: Final = re.compile(
    rb'\{"did":(?P<did>"[^"]*"),"time_us":(?P<time_us>\d+)(?:,"cursor":\d+)?,"kind":"commit","commit":\{'
    rb'"rev":(?P<rev>"[^"]*"),"operation":(?P<operation>"[^"]*"),"collection":(?P<collection>"[^"]*"),'
    rb'"rkey":(?P<rkey>"[^"]*"),"record":(?P<record>.*?)(?:,"cid":(?P<cid>"[^"]*"))?\}\}',
    re.DOTALL,
)
_LATEST_US: Final = 253_402_300_800_000_000  # the year 10000, which RFC 3339 has not


class Unreadable(ValueError):
    """The line is no event that v2 could send: no JSON object, or one whose ``commit`` is none."""


class _Commit(msgspec.Struct, gc=False):
    rev: msgspec.Raw = _NOTHING
    operation: msgspec.Raw = _NOTHING
    collection: msgspec.Raw = _NOTHING
    rkey: msgspec.Raw = _NOTHING
    record: msgspec.Raw = _NOTHING
    cid: msgspec.Raw = _NOTHING


class _Event(msgspec.Struct, gc=False):
    # All but the kind raw: a field of a wrong type goes on as it is, for the client to find.
    kind: str = ""
    did: msgspec.Raw = _NOTHING
    time_us: msgspec.Raw = _NOTHING
    commit: _Commit | None = None
    identity: msgspec.Raw = _NOTHING
    account: msgspec.Raw = _NOTHING
    sync: msgspec.Raw = _NOTHING


class Message(NamedTuple):
    """An event by its JSON parts. ``did`` and ``collection`` are text, empty where there is none."""

    kind: str
    did: str
    collection: str
    time: bytes
    fields: tuple[tuple[bytes, bytes | msgspec.Raw], ...]

    def frame(self, seq: int) -> bytes:
        """The message frame with this sequence number, its keys sorted as Go sorts them."""
        parts = [_HEADS.get(self.kind) or _head(self.kind)]
        parts += [name + bytes(value) for name, value in self.fields if value is not _NOTHING]
        return b'%b,"seq":%d,"time":%b}}' % (b"".join(parts), seq, self.time)


def _head(kind: str) -> bytes:
    return b'{"$type":"message","payload":{"$type":' + msgspec.json.encode(f"{STREAM}#{kind}")


_decode: Final = msgspec.json.Decoder(_Event).decode


def read(line: bytes) -> Message:
    """The v1 event ``line`` as a message.

    Raises:
        Unreadable: it cannot be one.
    """
    try:
        event = _decode(line)
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError):
        return _odd_record(line)
    did, commit = _text(event.did), event.commit
    time = _rfc3339(bytes(event.time_us))
    if commit is None:
        inner: msgspec.Raw = getattr(event, event.kind) if event.kind in KINDS[1:] else _NOTHING
        own = (b',"%b":' % event.kind.encode(), inner)
        quoted = (b',"did":', event.did)
        return Message(event.kind, did, "", time, (own, quoted) if event.kind < "did" else (quoted, own))
    fields = (
        (b',"cid":', commit.cid),
        (b',"collection":', commit.collection),
        (b',"did":', event.did),
        (b',"operation":', commit.operation),
        (b',"record":', commit.record),
        (b',"rev":', commit.rev),
        (b',"rkey":', commit.rkey),
    )
    return Message(event.kind, did, _text(commit.collection), time, fields)


def _odd_record(line: bytes) -> Message:
    match = _ODD_RECORD.fullmatch(line)
    if match is None:
        raise Unreadable(str(line[:60]))
    names = ("cid", "collection", "did", "operation", "record", "rev", "rkey")
    fields = tuple((b',"%b":' % name.encode(), match[name]) for name in names if match[name] is not None)
    did, collection = match["did"][1:-1].decode(), match["collection"][1:-1].decode()
    return Message("commit", did, collection, _rfc3339(match["time_us"]), fields)


def _text(raw: msgspec.Raw) -> str:
    quoted = bytes(raw)
    return quoted[1:-1].decode(errors="replace") if quoted.startswith(b'"') else ""


def _rfc3339(time_us: bytes) -> bytes:
    """RFC 3339 with six digits, as a JSON string; what is no time in microseconds stays as it is."""
    if not time_us.isdigit() or (us := int(time_us)) >= _LATEST_US:
        return time_us or b'""'
    return b'"%b.%06dZ"' % (identifiers.iso(us)[:-5].encode(), us % 1_000_000)


def info(name: str, message: str) -> bytes:
    """An ``#info`` frame: a notice that has no sequence number."""
    payload = {"$type": f"{STREAM}#info", "name": name, "message": message}
    return msgspec.json.encode({"$type": "message", "payload": payload})


def error(name: str, message: str) -> bytes:
    """The error frame that is the last one of its stream."""
    return msgspec.json.encode({"$type": "error", "error": name, "message": message})
