"""Writes events as Jetstream writes them: the order of keys, and Go's escapes.

Lives here: bytes of an event from its parts. Must not: drawing the parts.
"""

from __future__ import annotations

from typing import Any

import msgspec

from jetstream_simulator import identifiers


def commit_line(
    did: str,
    time_us: int,
    rev: str,
    operation: str,
    collection: str,
    rkey: str,
    record: dict[str, Any] | None,
    *,
    cid: str | None = None,
    links: bool = False,
) -> bytes:
    """A commit event; ``record`` is None for a delete.

    ``cid`` saves computing it again; ``links`` says that the record holds ``{"$link": …}``.
    """
    head = (
        f'{{"did":"{did}","time_us":{time_us},"kind":"commit","commit":{{"rev":"{rev}",'
        f'"operation":"{operation}","collection":"{collection}","rkey":"{rkey}"'
    )
    if record is None:
        return head.encode() + b"}}"
    cid = cid or identifiers.record_cid(record, links=links)
    return b'%b,"record":%b,"cid":"%b"}}' % (head.encode(), _go_json(record), cid.encode())


def other_line(kind: str, did: str, time_us: int, inner: dict[str, Any]) -> bytes:
    """An identity or account event."""
    return msgspec.json.encode({"did": did, "time_us": time_us, "kind": kind, kind: inner})


def _go_json(record: dict[str, Any]) -> bytes:
    """JSON as Go writes it: the characters that matter to HTML are escaped."""
    encoded = msgspec.json.encode(record)
    for character, escape in ((b"&", rb"\u0026"), (b"<", rb"\u003c"), (b">", rb"\u003e")):
        if character in encoded:
            encoded = encoded.replace(character, escape)
    return encoded
