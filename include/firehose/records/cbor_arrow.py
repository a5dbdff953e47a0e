"""DAG-CBOR of records for whole Arrow arrays: one :class:`firehose.records.cbor.Maker`; and the CIDs of it.

Rows that hold what is not described are refused: their CID has to be stored. Must not: know any type or field.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from functools import cache, reduce
from itertools import pairwise
from typing import Any, Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from firehose.records.cbor import LIST, LONGEST, MAP, TEXT, encoded_text, head, in_order
from firehose.records.cbor_json import shaped

Pieces = list[Any]  # of bytes and of binary arrays
_BASE32: Final = np.frombuffer(b"abcdefghijklmnopqrstuvwxyz234567", np.uint8)
_CID: Final = bytes((0x01, 0x71, 0x12, 0x20))  # version 1, dag-cbor, sha2-256, 32 bytes
_CID_LENGTH: Final = 59
#: Instants whose canonical text the engine writes as we do.
FIRST_US: Final = 0
LAST_US: Final = 4_294_944_000_000_000  # 2106-02-07


class ArrowMaker:
    """Encodes whole columns, as pieces to be joined. ``refused`` says which rows hold what this cannot encode."""

    def __init__(self, rows: Mapping[str, pa.Array]) -> None:
        self._rows = rows
        self.refused: list[pa.Array] = []
        #: Of columns that hold JSON.
        self.shapes: dict[str, pa.Array] = {}

    def text(self, column: str) -> Pieces:
        return self.of_texts(self._rows[column])

    def texts(self, column: str) -> Pieces:
        lists = self._rows[column]
        self.refused.append(pc.fill_null(pc.equal(pc.list_value_length(lists), 0), False))
        parts = _joined(self.of_texts(lists.flatten()))
        counts = pc.fill_null(pc.list_value_length(lists), 0)
        ends = pa.array(np.concatenate(([0], np.cumsum(counts.to_numpy(zero_copy_only=False)))), pa.int32())
        joined = pc.binary_join(pa.ListArray.from_arrays(ends, parts), b"")
        return [_heads(LIST, counts), pc.if_else(lists.is_valid(), joined, pa.scalar(None, pa.binary()))]

    def map(self, parts: Mapping[str, Pieces]) -> Pieces:
        pieces: Pieces = [head(MAP, len(parts))]
        for key, part in in_order(parts):
            pieces += [encoded_text(key), *part]
        return pieces

    def json(self, column: str) -> Pieces:
        texts = self._rows[column]
        found = [None if text is None else shaped(text) for text in texts.to_pylist()]
        self.shapes[column] = pa.array([one and one.shape for one in found], pa.string())
        encoded = pa.array([one and one.cbor for one in found], pa.binary())
        self.refused.append(pc.and_(texts.is_valid(), encoded.is_null()))
        return [encoded]

    def without(self, column: str) -> None:
        self.refused.append(self._rows[column].is_valid())

    def of_texts(self, texts: pa.Array) -> Pieces:
        """Strings, encoded."""
        return [_heads(TEXT, pc.binary_length(texts)), texts.cast(pa.binary())]

    def record(self, required: Mapping[str, Pieces], optional: Mapping[str, Pieces]) -> pa.Array:
        """Objects of the required parts and of those optional ones that a row has; null where a row is refused."""
        entries = {key: _joined([encoded_text(key), *part]) for key, part in optional.items()}
        held = (entry.is_valid().cast(pa.int32()) for entry in entries.values())
        pieces: Pieces = [_heads(MAP, reduce(pc.add, held, pa.scalar(len(required), pa.int32())))]
        for key, part in in_order({**required, **optional}):
            pieces += [pc.fill_null(entries[key], b"")] if key in entries else [encoded_text(key), *part]
        whole, refused = _joined(pieces), reduce(pc.or_, self.refused, pa.scalar(False))
        return pc.if_else(refused, pa.scalar(None, pa.binary()), whole) if pc.any(refused).as_py() else whole


def cids(encoded: pa.Array) -> pa.Array:
    """The CID of each record's DAG-CBOR; null where there is none. CIDv1, dag-cbor, SHA-256, base32."""
    held = encoded.drop_null()
    ends = np.frombuffer(held.buffers()[1], np.int32, len(held) + 1, held.offset * 4).tolist()
    data, sha256 = memoryview(held.buffers()[2] or b""), hashlib.sha256
    digests = b"".join([sha256(data[start:end]).digest() for start, end in pairwise(ends)])
    texts = _base32(np.frombuffer(digests, np.uint8).reshape(-1, 32))
    offsets = pa.py_buffer(np.arange(len(held) + 1, dtype=np.int32) * _CID_LENGTH)
    made = pa.StringArray.from_buffers(len(held), offsets, pa.py_buffer(texts))
    if not encoded.null_count:
        return made
    return pc.replace_with_mask(pa.nulls(len(encoded), pa.string()), encoded.is_valid(), made)


def _base32(digests: np.ndarray[Any, np.dtype[np.uint8]]) -> bytes:
    """``b`` and 58 letters of five bits for each CID of 36 bytes."""
    whole = np.zeros((len(digests), 38), np.uint16)  # two bytes more, for the last letters
    whole[:, :4] = np.frombuffer(_CID, np.uint8)
    whole[:, 4:36] = digests
    text = np.empty((len(digests), _CID_LENGTH), np.uint8)
    text[:, 0] = ord("b")
    for letter in range(_CID_LENGTH - 1):
        byte, bit = divmod(letter * 5, 8)
        pair = whole[:, byte] << 8 | whole[:, byte + 1]
        text[:, letter + 1] = _BASE32[pair >> (11 - bit) & 31]
    return text.tobytes()


def _heads(major: int, counts: pa.Array) -> pa.Array:
    """What comes before each value; null, so that the row is refused, before a very long one."""
    return _all_heads(major).take(pc.if_else(pc.less(counts, LONGEST), counts, None))


@cache
def _all_heads(major: int) -> pa.Array:
    return pa.array([head(major, count) for count in range(LONGEST)], pa.binary())


def _joined(pieces: Pieces) -> pa.Array:
    """Pieces joined row by row, neighbouring constants first; null where one is."""
    merged: list[Any] = []
    for piece in pieces:
        if isinstance(piece, bytes) and merged and isinstance(merged[-1], bytes):
            merged[-1] += piece
        else:
            merged.append(piece)
    binary = pa.binary()
    parts = (pa.scalar(piece, binary) if isinstance(piece, bytes) else piece for piece in merged)
    return pc.binary_join_element_wise(*parts, pa.scalar(b"", binary))
