"""A v1 event as a row of the archive, its record as the DAG-CBOR that its CID is the hash of.

Lives here: one line to one row. Must not: blocks, files.
"""

from __future__ import annotations

from typing import Any

import libipld
import msgspec

from firehose.archive.format import KINDS, Row
from firehose.simulator import identifiers

_KINDS = {name: number for number, name in KINDS.items()}
_COMMITS = ("create", "update", "delete")


def row(line: bytes, seq: int) -> Row | None:
    """The row of ``line``; None for what no server would have archived, since it is no valid event."""
    try:
        event = msgspec.json.decode(line)
        kind = event["kind"]
        if kind == "commit":
            return _commit(event, seq)
        if kind not in _KINDS or kind in _COMMITS:
            return None
        [did] = _texts(event["did"])
        return Row(seq, _time_us(event), _KINDS[kind], b"", did, b"", b"", _cbor(event[kind]))
    except (msgspec.DecodeError, KeyError, TypeError, ValueError, OverflowError, RecursionError):
        return None


def _commit(event: dict[str, Any], seq: int) -> Row | None:
    commit = event["commit"]
    operation, collection = commit["operation"], commit["collection"]
    if operation not in _COMMITS or not collection:
        return None
    did, nsid, rkey, rev = _texts(event["did"], collection, commit["rkey"], commit["rev"])
    payload = b"" if operation == "delete" else _cbor(commit["record"])
    return Row(seq, _time_us(event), _KINDS[operation], nsid, did, rkey, rev, payload)


def _texts(*values: str) -> list[bytes]:
    """The columns of text, which hold 255 bytes at most.

    Raises:
        ValueError: one is longer.
        TypeError: one is no string.
    """
    encoded = [bytes(value, "utf-8") for value in values]
    if any(len(text) > 255 for text in encoded):
        raise ValueError("too long for a column")
    return encoded


def _time_us(event: dict[str, Any]) -> int:
    time_us = event["time_us"]
    if type(time_us) is not int or not 0 <= time_us < 1 << 63:
        raise ValueError("no time")
    return time_us


def _cbor(value: Any) -> bytes:
    if not isinstance(value, dict):
        raise TypeError("no object")
    encoded: bytes = libipld.encode_dag_cbor(identifiers.cbor_form(value))
    return encoded
