"""A v1 event as the ``subscribeEvents`` frame of the same event, its parts taken over byte for byte.

Lives here: the JSON of messages, info and error frames. Must not: websocket frames, filters, the event log.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final, NamedTuple

import msgspec

from jetstream_simulator import identifiers

STREAM: Final = "network.bsky.jetstream.subscribeEvents"
KINDS: Final = ("commit", "identity", "account", "sync")
_HEADS: Final = {kind: f'{{"$type":"message","payload":{{"$type":"{STREAM}#{kind}"'.encode() for kind in KINDS}
_NOTHING: Final = msgspec.Raw()
# The layout of synthetic and most recorded commits. Taking it apart here costs a fifth of decoding it, and what no
# decoder accepts in a record (lone surrogates, NaN, nesting without end) goes through as it is.
_COMMIT: Final = re.compile(
    rb'\{"did":("[^"\\]*"),"time_us":(\d{9,17})(?:,"cursor":\d+)?,"kind":"commit","commit":\{"rev":("[^"\\]*"),'
    rb'"operation":("[^"\\]*"),"collection":("[^"\\]*"),"rkey":("[^"\\]*")(?:(?=\}\}$)|,"record":)'
)
_CID: Final = b',"cid":"'
_MAX_CID: Final = 120
_CACHED_SECONDS: Final = 10_000
_LATEST_S: Final = 253_402_300_800  # the year 10000, which RFC 3339 does not have


class Unreadable(ValueError):
    """The line is not an event that v2 could send: not a JSON object, or one whose ``commit`` is not an object."""


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
    displayed_us: msgspec.Raw = _NOTHING


class Message(NamedTuple):
    """An event by its JSON parts: ``fields`` are those between the type and the sequence number.

    ``time`` is the displayed one; ``witnessed`` is empty where the frame does not say it.
    """

    kind: str
    quoted_did: bytes
    quoted_collection: bytes
    time: bytes
    fields: bytes
    witnessed: bytes = b""

    @property
    def did(self) -> str:
        """Whose event it is; empty where that is not a string."""
        return _text(self.quoted_did)

    @property
    def collection(self) -> str:
        """A commit's collection; empty for other events."""
        return _text(self.quoted_collection)

    def frame(self, seq: int) -> bytes:
        """The message frame with this sequence number, its keys sorted as Go sorts them."""
        head = _HEADS.get(self.kind) or _head(self.kind)
        witnessed = self.witnessed and b',"witnessedAt":%b' % self.witnessed
        return b'%b%b,"seq":%d,"time":%b%b}}' % (head, self.fields, seq, self.time, witnessed)


def _head(kind: str) -> bytes:
    return b'{"$type":"message","payload":{"$type":' + msgspec.json.encode(f"{STREAM}#{kind}")


_decode: Final = msgspec.json.Decoder(_Event).decode


def read(line: bytes) -> Message:
    """The v1 event ``line`` as a message.

    Raises:
        Unreadable: it cannot be one.
    """
    match = _COMMIT.match(line)
    return (match and _usual_commit(line, match)) or _decoded(line)


def _usual_commit(line: bytes, match: re.Match[bytes]) -> Message | None:
    """A commit in the usual layout, which so far only its beginning has shown; None: it is not."""
    did, time_us, rev, operation, collection, rkey = match.groups()
    time, begin, end = _rfc3339(time_us), match.end(), len(line) - 3
    if begin == end + 1:
        parts = (b',"collection":', collection, b',"did":', did, b',"operation":', operation)
        fields = b"".join((*parts, b',"rev":', rev, b',"rkey":', rkey))
        return Message("commit", did, collection, time, fields)
    # A record before it would end in a brace of its own: with two of them after the string, this is the commit's.
    at = line.rfind(_CID, max(begin, end - _MAX_CID))
    cid = line[at + len(_CID) : end]
    if at < 0 or line[end:] != b'"}}' or b'"' in cid or b"\\" in cid:
        return None
    fields = b"".join(
        (
            *(_CID, cid, b'","collection":', collection, b',"did":', did, b',"operation":', operation),
            *(b',"record":', line[begin:at], b',"rev":', rev, b',"rkey":', rkey),
        )
    )
    return Message("commit", did, collection, time, fields)


def _decoded(line: bytes) -> Message:
    try:
        event = _decode(line)
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError):
        raise Unreadable(str(line[:60])) from None
    did, time, commit = bytes(event.did), _rfc3339(bytes(event.time_us)), event.commit
    if shown := bytes(event.displayed_us):
        witnessed, time = time, _rfc3339(shown)
    else:
        witnessed = b""
    if commit is None:
        inner: bytes = getattr(event, event.kind) if event.kind in KINDS[1:] else _NOTHING
        parts = {"did": event.did, event.kind: inner}
        return Message(event.kind, did, b"", time, _joined(parts), witnessed)
    parts = {name: getattr(commit, name) for name in commit.__struct_fields__} | {"did": event.did}
    return Message(event.kind, did, bytes(commit.collection), time, _joined(parts), witnessed)


def _joined(parts: Mapping[str, bytes]) -> bytes:
    named = [(name, bytes(parts[name])) for name in sorted(parts)]
    return b"".join(b',"%b":%b' % (name.encode(), value) for name, value in named if value)


def _text(quoted: bytes) -> str:
    return quoted[1:-1].decode(errors="replace") if quoted.startswith(b'"') else ""


_seconds: dict[bytes, bytes] = {}


def _rfc3339(time_us: bytes) -> bytes:
    """RFC 3339 with six digits, as a JSON string; what is not a time in microseconds stays as it is."""
    second = time_us[:-6]
    written = _seconds.get(second)
    if written is None:
        if not time_us.isdigit() or not second or int(second) >= _LATEST_S:
            return time_us or b'""'
        if len(_seconds) >= _CACHED_SECONDS:
            _seconds.clear()
        written = _seconds[second] = identifiers.iso(int(second) * 1_000_000)[:-5].encode()
    return b'"%b.%bZ"' % (written, time_us[-6:])


def info(name: str, message: str) -> bytes:
    """An ``#info`` frame: a notice that has no sequence number."""
    payload = {"$type": f"{STREAM}#info", "name": name, "message": message}
    return msgspec.json.encode({"$type": "message", "payload": payload})


def error(name: str, message: str) -> bytes:
    """The error frame that is the last one of its stream."""
    return msgspec.json.encode({"$type": "error", "error": name, "message": message})
