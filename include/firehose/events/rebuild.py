"""From a row back to its record (or its sync event), and from a record to its CID.

CID: CIDv1, codec dag-cbor, SHA-256 of the record's DAG-CBOR, base32 (atproto.com/specs/data-model). JSON's
``{"$link": …}`` and ``{"$bytes": …}`` stand for CBOR's links and byte strings.
"""

from __future__ import annotations

import base64
import hashlib
from datetime import datetime
from typing import Any

import libipld
import msgspec

from firehose.records.clocks import canonical_text
from firehose.records.registry import REGISTRY

_CID_PREFIX = bytes((0x01, 0x71, 0x12, 0x20))  # version 1, dag-cbor, sha2-256, 32 bytes
_CBOR_LINK = b"\xd8\x2a"  # tag 42
_decode = msgspec.json.decode
# CIDs have 59 characters. Long base58 takes time with the square of its length: hours for a large message.
_MAX_LINK = 1024


def record_of(record_type: str, row: dict[str, Any]) -> dict[str, Any]:
    """The record that a row of ``record_type`` was made from. ``row`` maps column names to values.

    Raises:
        ValueError: the row says nothing of a record.
    """
    extra = _decode(row["extra"]) if row["extra"] is not None else {}
    if isinstance(extra, list):
        whole: dict[str, Any] = extra[0]
        return whole
    of = REGISTRY[record_type]
    if not of.collection:
        raise ValueError(f"a row of {record_type} that holds no record")
    record: dict[str, Any] = {"$type": of.collection}
    if (claim := _claim(row)) is not None:
        record["createdAt"] = claim
    for field in of.fields:
        field.give(record, row)
    record.update(extra)
    return record


def sync_of(row: dict[str, Any]) -> dict[str, Any]:
    """The ``sync`` part of the event that a row of ``other`` with that operation was made from.

    The order of its keys is not kept, and it always names the account a second time.
    """
    extra = _decode(row["extra"]) if row["extra"] is not None else {}
    return {"did": row["did"], "rev": row["rev"], "seq": int(row["rkey"]), **extra}


def record_cid(record: dict[str, Any]) -> str:
    """The CID of a record in JSON form.

    Raises:
        ValueError: the record has no DAG-CBOR form (a number or a link out of range, broken base64).
    """
    try:
        encoded = libipld.encode_dag_cbor(_to_ipld(record))
    except (ValueError, TypeError, OverflowError, RecursionError) as error:
        raise ValueError(f"no DAG-CBOR form: {error}") from None
    return cid_of(encoded)


def cid_of(encoded: bytes) -> str:
    """The CID of a record's DAG-CBOR."""
    return str(libipld.encode_multibase("b", _CID_PREFIX + hashlib.sha256(encoded).digest()))


def ipld_to_json(value: bytes) -> dict[str, str]:
    """A link or a byte string, which libipld both decodes to bytes, in JSON form.

    A link is what libipld would encode as one again.
    """
    if libipld.encode_dag_cbor(value).startswith(_CBOR_LINK):
        return {"$link": str(libipld.encode_cid(value))}
    return {"$bytes": base64.b64encode(value).decode().rstrip("=")}


def _claim(row: dict[str, Any]) -> str | None:
    if row["created_at_raw"] is not None:
        return str(row["created_at_raw"])
    instant: datetime | None = row["created_at"]
    return None if instant is None else canonical_text(instant)


def _to_ipld(value: Any) -> Any:
    if isinstance(value, dict):
        if len(value) == 1:
            if isinstance(link := value.get("$link"), str):
                if len(link) > _MAX_LINK:
                    raise ValueError(f"a link of {len(link)} characters")
                # libipld takes bytes that are a CID for a link, and any others for a byte string.
                return libipld.decode_multibase(link)[1]
            if isinstance(data := value.get("$bytes"), str):
                return base64.b64decode(data + "=" * (-len(data) % 4), validate=True)
        return {key: _to_ipld(part) for key, part in value.items()}
    return [_to_ipld(part) for part in value] if isinstance(value, list) else value
