"""The network's identifiers: TIDs, DIDs, CIDs and the time format of records.

Lives here: pure functions from numbers and bytes to identifiers. Must not: randomness, clocks, I/O.
"""

from __future__ import annotations

import base64
import hashlib
from datetime import UTC, datetime
from typing import Any, Final

import libipld

TID_ALPHABET: Final = "234567abcdefghijklmnopqrstuvwxyz"
# Ten bits a look-up: half as many steps as a character at a time, on the hottest path there is.
_PAIRS: Final = [a + b for a in TID_ALPHABET for b in TID_ALPHABET]
# CIDv1, codec, SHA-256 of 32 bytes.
_RECORD: Final = b"\x01\x71\x12\x20"
_BLOB: Final = b"\x01\x55\x12\x20"


def tid(time_us: int, clock_id: int) -> str:
    """The 13-character TID of a time (microseconds) and a clock id (0 to 1023); it sorts by time."""
    n = (time_us << 10) | clock_id
    pairs = _PAIRS
    return (
        TID_ALPHABET[n >> 60 & 31]
        + pairs[n >> 50 & 1023]
        + pairs[n >> 40 & 1023]
        + pairs[n >> 30 & 1023]
        + pairs[n >> 20 & 1023]
        + pairs[n >> 10 & 1023]
        + pairs[n & 1023]
    )


def did(seed: int, account: int) -> str:
    """The DID of the simulated account number ``account``: always the same for the same seed."""
    digest = hashlib.sha256(b"%d/%d" % (seed, account)).digest()
    name: str = libipld.encode_multibase("b", digest[:15])
    return "did:plc:" + name[1:]


def record_cid(record: dict[str, Any], *, links: bool = False) -> str:
    """The CID that a PDS gives to ``record``, which is in JSON form.

    ``links`` says that ``{"$link": …}`` occurs in it: looking for them costs more than the CID itself.
    """
    form = cbor_form(record) if links else record
    return _cid(_RECORD, hashlib.sha256(libipld.encode_dag_cbor(form)).digest())


def hash_cid(digest: bytes) -> str:
    """The CID of a record whose SHA-256 is ``digest`` (32 bytes)."""
    return _cid(_RECORD, digest)


def blob_cid(digest: bytes) -> str:
    """The CID of a blob (an image, say) whose SHA-256 is ``digest`` (32 bytes)."""
    return _cid(_BLOB, digest)


def _cid(prefix: bytes, digest: bytes) -> str:
    cid: str = libipld.encode_multibase("b", prefix + digest)
    return cid


def cbor_form(value: Any) -> Any:
    """``value`` in JSON form with its links and byte strings as DAG-CBOR has them."""
    if isinstance(value, dict):
        if value.keys() == {"$link"}:
            return bytes(libipld.decode_multibase(value["$link"])[1])
        if value.keys() == {"$bytes"}:
            text = value["$bytes"]
            return base64.b64decode(text + "=" * (-len(text) % 4))
        return {key: cbor_form(item) for key, item in value.items()}
    return [cbor_form(item) for item in value] if isinstance(value, list) else value


_seconds: dict[int, str] = {}


def iso(time_us: int) -> str:
    """RFC 3339 in UTC with milliseconds, as most clients write ``createdAt``."""
    second, us = divmod(time_us, 1_000_000)
    prefix = _seconds.get(second)
    if prefix is None:
        if len(_seconds) > 50_000:
            _seconds.clear()
        prefix = datetime.fromtimestamp(second, UTC).strftime("%Y-%m-%dT%H:%M:%S")
        _seconds[second] = prefix
    return f"{prefix}.{us // 1000:03d}Z"
