"""Events that no decoder should accept: wrong types, missing fields, broken JSON.

Lives here: one function a fault, each giving a whole line. Must not: the quirks of valid events (records.py).
"""

from __future__ import annotations

from collections.abc import Callable
from random import Random
from typing import Any, Final, NamedTuple

import msgspec

from jetstream_simulator import identifiers


class Envelope(NamedTuple):
    """The parts around the record of an event that will be malformed."""

    did: str
    time_us: int
    rev: str
    rkey: str
    created_at: str
    subject: dict[str, str]


def malformed_line(rng: Random, envelope: Envelope) -> bytes:
    """One line with a fault; every kind is equally likely."""
    return FAULTS[rng.choice(_NAMES)](envelope)


def _line(e: Envelope, collection: str, record: object, **commit: object) -> bytes:
    """A create of ``record``; ``commit`` replaces fields around it (None: left out)."""
    fields: dict[str, object] = {
        "rev": e.rev,
        "operation": "create",
        "collection": collection,
        "rkey": e.rkey,
        "record": record,
        "cid": identifiers.record_cid(record) if isinstance(record, dict) else None,
    }
    fields.update(commit)
    kept = {name: value for name, value in fields.items() if value is not None}
    return msgspec.json.encode({"did": e.did, "time_us": e.time_us, "kind": "commit", "commit": kept})


def _post(e: Envelope, **fields: object) -> dict[str, Any]:
    record = {"$type": "app.bsky.feed.post", "createdAt": e.created_at, "langs": ["en"], "text": "odd"}
    record.update(fields)  # type: ignore[arg-type]  # wrong types are the point
    return {name: value for name, value in record.items() if value is not None}


def _like(e: Envelope, subject: object) -> dict[str, Any]:
    return {"$type": "app.bsky.feed.like", "createdAt": e.created_at, "subject": subject}


_POST, _LIKE, _FOLLOW = "app.bsky.feed.post", "app.bsky.feed.like", "app.bsky.graph.follow"


def _raw_text(e: Envelope, text: bytes) -> bytes:
    """A post whose text is this JSON string, which no encoder would write."""
    return _line(e, _POST, _post(e, text="@@")).replace(b'"@@"', text)


def _deep(e: Envelope) -> bytes:
    depth = 12_000
    return _raw_text(e, b"[" * depth + b"]" * depth)


#: Every fault by its name.
FAULTS: Final[dict[str, Callable[[Envelope], bytes]]] = {
    "created_at_missing": lambda e: _line(e, _POST, _post(e, createdAt=None)),
    "created_at_number": lambda e: _line(e, _POST, _post(e, createdAt=e.time_us)),
    "text_number": lambda e: _line(e, _POST, _post(e, text=42)),
    "text_missing": lambda e: _line(e, _POST, _post(e, text=None)),
    "langs_string": lambda e: _line(e, _POST, _post(e, langs="en")),
    "reply_string": lambda e: _line(e, _POST, _post(e, reply=e.subject["uri"])),
    "like_subject_string": lambda e: _line(e, _LIKE, _like(e, e.subject["uri"])),
    "like_subject_missing": lambda e: _line(e, _LIKE, {"$type": _LIKE, "createdAt": e.created_at}),
    "like_subject_no_uri": lambda e: _line(e, _LIKE, _like(e, {"cid": e.subject["cid"]})),
    "follow_subject_object": lambda e: _line(
        e, _FOLLOW, {"$type": _FOLLOW, "createdAt": e.created_at, "subject": e.subject}
    ),
    "record_missing": lambda e: _line(e, _POST, None),
    "record_list": lambda e: _line(e, _POST, [], cid=e.subject["cid"]),
    "cid_missing": lambda e: _line(e, _POST, _post(e), cid=None),
    "operation_unknown": lambda e: _line(e, _POST, _post(e), operation="upsert"),
    "rkey_missing": lambda e: _line(e, _POST, _post(e), rkey=None),
    "did_wrong": lambda e: _line(e._replace(did="nobody"), _POST, _post(e)),
    "kind_unknown": lambda e: _line(e, _POST, _post(e)).replace(b'"kind":"commit"', b'"kind":"gossip"'),
    "kind_missing": lambda e: _line(e, _POST, _post(e)).replace(b'"kind":"commit",', b""),
    "time_us_string": lambda e: _line(e, _POST, _post(e)).replace(
        b'"time_us":%d' % e.time_us, b'"time_us":"%d"' % e.time_us
    ),
    "lone_surrogate": lambda e: _raw_text(e, rb'"odd \ud83d"'),
    "deeply_nested": _deep,
    "json_truncated": lambda e: _line(e, _POST, _post(e))[:-40],
    "json_list": lambda e: b"[" + _line(e, _POST, _post(e)) + b"]",
    "not_json": lambda e: b"odd " + e.did.encode(),
}
_NAMES: Final = list(FAULTS)
