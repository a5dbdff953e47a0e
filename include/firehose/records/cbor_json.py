"""DAG-CBOR of parts of records that are kept as JSON, and their shape, by which SQL can build it as well.

A shape says of each value in the JSON, in its order: its place in the DAG-CBOR (two hexadecimal digits), its kind,
and the bytes before it (hexadecimal): heads of objects and lists, and keys. Values of one shape differ in texts,
numbers and links alone. Must not: know any type or field.
"""

from __future__ import annotations

import base64
import binascii
from typing import Any, Final, NamedTuple

import msgspec

from firehose.records.cbor import LIST, LONGEST, MAP, NUMBER, encoded_text, head

#: Kinds of values.
TEXT: Final = "s"
WHOLE: Final = "i"  # a number, from 0 to 2^32 - 1
LINK: Final = "l"
CONSTANT: Final = "c"  # its bytes are among those before it
#: What comes before the 36 bytes of a link's CID: tag 42, and a byte string that begins with 0.
BEFORE_LINK: Final = bytes.fromhex("d82a582500")
_SIMPLE: Final = {False: b"\xf4", True: b"\xf5", None: b"\xf6"}
_CIDS: Final = (b"\x01\x71\x12\x20", b"\x01\x55\x12\x20")  # of records and of blobs
_MOST: Final = 255
_DEEPEST: Final = 16
_GREATEST: Final = 1 << 32


class Shaped(NamedTuple):
    """The shape of a value, and its DAG-CBOR."""

    shape: str
    cbor: bytes


class _Leaf(NamedTuple):
    kind: str
    number: int  # in the order of the JSON
    before: bytes
    encoded: bytes = b""


class _NotDescribedError(Exception):
    pass


def shaped(text: str) -> Shaped | None:
    """The shape and the DAG-CBOR of JSON as msgspec writes it; None where these kinds do not describe it."""
    try:
        leaves = _Walk().leaves(msgspec.json.decode(text), 0)
    except _NotDescribedError:
        return None
    pieces = [""] * len(leaves)
    for place, leaf in enumerate(leaves):
        pieces[leaf.number] = f"{place:02x}{leaf.kind}{leaf.before.hex()}"
    return Shaped(" ".join(pieces), b"".join([leaf.before + leaf.encoded for leaf in leaves]))


class _Walk:
    def __init__(self) -> None:
        self._count = 0

    def leaves(self, value: Any, depth: int) -> list[_Leaf]:
        """The values within a value, in the order of DAG-CBOR."""
        if isinstance(value, str) and len(value.encode()) < LONGEST:
            return [self._leaf(TEXT, b"", encoded_text(value))]
        if value is None or isinstance(value, bool):
            return [self._leaf(CONSTANT, _SIMPLE[value])]
        if isinstance(value, int) and 0 <= value < _GREATEST:
            return [self._leaf(WHOLE, b"", head(NUMBER, value))]
        if isinstance(value, list) and depth < _DEEPEST:
            return self._joined(head(LIST, len(value)), [(b"", self.leaves(part, depth + 1)) for part in value])
        if isinstance(value, dict) and depth < _DEEPEST:
            return self._object(value, depth + 1)
        raise _NotDescribedError

    def _object(self, value: dict[str, Any], depth: int) -> list[_Leaf]:
        if len(value) == 1 and isinstance(link := value.get("$link"), str):
            return [self._leaf(LINK, BEFORE_LINK, _cid(link))]
        if len(value) == 1 and isinstance(value.get("$bytes"), str):
            raise _NotDescribedError
        parts = []
        for key, part in value.items():
            if key == "$type" and isinstance(part, str):
                leaves = [self._leaf(CONSTANT, encoded_text(part))]
            else:
                leaves = self.leaves(part, depth)
            parts.append((encoded_text(key), leaves))
        # The head of a text has its length, and comes before it: so the encoded keys are in order.
        return self._joined(head(MAP, len(parts)), sorted(parts, key=lambda part: part[0]))

    def _joined(self, before: bytes, parts: list[tuple[bytes, list[_Leaf]]]) -> list[_Leaf]:
        if not parts:
            return [self._leaf(CONSTANT, before)]
        joined: list[_Leaf] = []
        for key, (first, *rest) in parts:
            joined += [first._replace(before=before + key + first.before), *rest]
            before = b""
        return joined

    def _leaf(self, kind: str, before: bytes, encoded: bytes = b"") -> _Leaf:
        number, self._count = self._count, self._count + 1
        if self._count > _MOST:
            raise _NotDescribedError
        return _Leaf(kind, number, before, encoded)


def _cid(link: str) -> bytes:
    try:
        found = base64.b32decode(link[1:].upper() + "======")
    except (binascii.Error, ValueError):
        raise _NotDescribedError from None
    canonical = "b" + base64.b32encode(found).decode().lower().rstrip("=")
    if len(found) != len(BEFORE_LINK) + 31 or found[:4] not in _CIDS or canonical != link:
        raise _NotDescribedError
    return found
