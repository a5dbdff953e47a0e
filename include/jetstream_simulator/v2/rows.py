"""A v1 event as a row of the archive, its record as the DAG-CBOR that its CID is the hash of.

Lives here: one line to one row. Must not: blocks, files.
"""

from __future__ import annotations

import re
from typing import Any, Final

import libipld
import msgspec

from jetstream_simulator import identifiers
from jetstream_simulator.v2.layout import DELETE, EVENTS, MARK, OPERATIONS, RESYNC, Row

#: ``kind9`` in a line is a row of kind 9: for the kinds that servers may come to write.
_NUMBERED: Final = re.compile(r"kind(\d{1,3})")
#: The most bytes in the columns of an account, and in those of collection, record key and revision.
_LONG, _SHORT = 65_535, 255


def row(line: bytes, seq: int) -> Row | None:
    """The row of ``line``; None for what no server would have archived, since it is not a valid event."""
    try:
        event = msgspec.json.decode(line)
        kind = event["kind"]
        if kind == "commit":
            return _commit(event, seq)
        if numbered := _NUMBERED.fullmatch(kind):
            return _record(event, event["commit"], seq, int(numbered[1]))
        if kind not in EVENTS:
            return None
        did = _text(event["did"], _LONG)
        return Row(seq, _time_us(event), EVENTS[kind], b"", did, b"", b"", _cbor(event[kind]))
    except (msgspec.DecodeError, KeyError, TypeError, ValueError, OverflowError, RecursionError):
        return None


def _commit(event: dict[str, Any], seq: int) -> Row | None:
    commit = event["commit"]
    operation = commit["operation"]
    if operation not in OPERATIONS or not commit["collection"]:
        return None
    return _record(event, commit, seq, RESYNC if commit.get(MARK) else OPERATIONS[operation])


def _record(event: dict[str, Any], commit: dict[str, Any], seq: int, kind: int) -> Row:
    nsid, rkey, rev = (_text(commit[name], _SHORT) for name in ("collection", "rkey", "rev"))
    payload = b"" if kind == DELETE else _cbor(commit["record"])
    did, shown = _text(event["did"], _LONG), event.get("displayed_us", 0)
    return Row(seq, _time_us(event), kind, nsid, did, rkey, rev, payload, shown)


def _text(value: str, most: int) -> bytes:
    """A column of text.

    Raises:
        ValueError: it is longer than the column can say.
        TypeError: it is not a string.
    """
    encoded = bytes(value, "utf-8")
    if len(encoded) > most:
        raise ValueError("too long for a column")
    return encoded


def _time_us(event: dict[str, Any]) -> int:
    time_us = event["time_us"]
    if type(time_us) is not int or not 0 <= time_us < 1 << 63:
        raise ValueError("not a time")
    return time_us


def _cbor(value: Any) -> bytes:
    if not isinstance(value, dict):
        raise TypeError("not an object")
    encoded: bytes = libipld.encode_dag_cbor(identifiers.cbor_form(value))
    return encoded
