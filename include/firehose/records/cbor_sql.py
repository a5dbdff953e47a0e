"""DAG-CBOR of records as SQL over columns: the other :class:`firehose.records.cbor.Maker`. Pure text.

The engine analyses every view that a query names, so the expressions are short: one lambda encodes all texts of a
record. Must not: know any type or field; decide which rows are described (closed files store other CIDs).
"""

from __future__ import annotations

from collections.abc import Mapping
from itertools import groupby
from typing import Final, NamedTuple

from firehose.records.cbor import MAP, encoded_text, head, in_order

_TEXT: Final = 96  # the first byte of a text, to which its length is added
_LIST: Final = 128
_RECORD: Final = 160


class Piece(NamedTuple):
    """A text or a list of texts, SQL for which is ``value``, and the bytes before it."""

    before: bytes
    value: str
    is_list: bool = False

    @property
    def is_there(self) -> str:
        """SQL for whether a row has it."""
        return f"notEmpty({self.value})" if self.is_list else f"isNotNull({self.value})"


class SqlMaker:
    """Describes parts of records. ``plain`` has SQL for each column."""

    def __init__(self, plain: Mapping[str, str]) -> None:
        self._plain = plain

    def text(self, column: str) -> list[Piece]:
        return [Piece(b"", self._plain[column])]

    def texts(self, column: str) -> list[Piece]:
        return [Piece(b"", self._plain[column], is_list=True)]

    def map(self, parts: Mapping[str, list[Piece]]) -> list[Piece]:
        return _after(head(MAP, len(parts)), _entries(parts))

    def without(self, column: str) -> None:
        """Nothing to say: where the column is not null, the CID is stored."""


def cid(required: Mapping[str, list[Piece]], optional: Mapping[str, list[Piece]]) -> str:
    """The CID of a record that has the required parts, and those optional ones that a row has."""
    count = " + ".join([str(_RECORD + len(required)), *(part[0].is_there for part in optional.values())])
    pieces = _entries({**required, **optional})
    runs = (_lists(run) if is_list else _texts(run) for is_list, run in _runs(pieces))
    digest = f"concat(unhex('01711220'), SHA256(concat(char({count}), {', '.join(runs)})))"
    return f"concat('b', lower(trimRight(base32Encode({digest}), '=')))"


def _runs(pieces: list[Piece]) -> list[tuple[bool, list[Piece]]]:
    return [(is_list, list(run)) for is_list, run in groupby(pieces, key=lambda piece: piece.is_list)]


def _texts(run: list[Piece]) -> str:
    before = ", ".join(f"'{piece.before.hex()}'" for piece in run)
    values = ", ".join(piece.value for piece in run)
    encoded = f"concat(unhex(b), {_head(_TEXT, 'assumeNotNull(x)')}, assumeNotNull(x))"
    return f"arrayStringConcat(arrayMap((b, x) -> if(isNull(x), '', {encoded}), [{before}], [{values}]))"


def _lists(run: list[Piece]) -> str:
    each = f"concat({_head(_TEXT, 'x')}, x)"
    return ", ".join(
        f"if(empty({piece.value}), '', concat(unhex('{piece.before.hex()}'), {_head(_LIST, piece.value)},"
        f" arrayStringConcat(arrayMap(x -> {each}, {piece.value}))))"
        for piece in run
    )


def _entries(parts: Mapping[str, list[Piece]]) -> list[Piece]:
    return [piece for key, part in in_order(parts) for piece in _after(encoded_text(key), part)]


def _after(before: bytes, pieces: list[Piece]) -> list[Piece]:
    first, *rest = pieces
    return [first._replace(before=before + first.before), *rest]


def _head(first: int, value: str) -> str:
    size = f"length({value})"
    return (
        f"multiIf({size} < 24, char({first} + {size}), {size} < 256, char({first + 24}, {size}),"
        f" char({first + 25}, intDiv({size}, 256), modulo({size}, 256)))"
    )
