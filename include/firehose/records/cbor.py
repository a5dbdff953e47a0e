"""How the DAG-CBOR of records is built from columns: one description, for Arrow arrays (cbor_arrow.py) and for SQL
(cbor_sql.py).

A field says how its part is encoded by calling a :class:`Maker` (atproto.com/specs/data-model: keys in order of
length, then of bytes; texts and lists with their length before them). Must not: know any type or field.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, Protocol, TypeVar

Part = TypeVar("Part")
NUMBER: Final = 0  # CBOR's major types
TEXT: Final = 3
LIST: Final = 4
MAP: Final = 5
#: Texts and lists of this length are not described.
LONGEST: Final = 1 << 16


class Maker(Protocol[Part]):
    """Encodes parts of records. A part is null in rows that lack it."""

    def text(self, column: str) -> Part:
        """A string."""

    def texts(self, column: str) -> Part:
        """A list of strings."""

    def map(self, parts: Mapping[str, Part]) -> Part:
        """An object that has all of these parts; null where one is."""

    def json(self, column: str) -> Part:
        """Any value, kept as JSON."""

    def without(self, column: str) -> None:
        """Only rows in which this column is null are described."""


def head(major: int, count: int) -> bytes:
    """What comes before a value: its major type and its length."""
    if count < 24:
        return bytes((major << 5 | count,))
    width = 0 if count < 256 else 1 if count < LONGEST else 2
    return bytes((major << 5 | 24 + width,)) + count.to_bytes(1 << width, "big")


def in_order(parts: Mapping[str, Part]) -> list[tuple[str, Part]]:
    """The entries of an object in DAG-CBOR's order."""
    return sorted(parts.items(), key=lambda entry: (len(entry[0]), entry[0]))


def encoded_text(text: str) -> bytes:
    """A string, encoded."""
    raw = text.encode()
    return head(TEXT, len(raw)) + raw
