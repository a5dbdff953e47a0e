"""DAG-CBOR of records as SQL over columns: the other :class:`firehose.records.cbor.Maker`. Pure text.

The engine analyses every view that a query names, so the expressions are short: one lambda encodes all parts of a
record. Must not: know any type or field; decide which rows are described (closed files store other CIDs).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, NamedTuple

from firehose.records import cbor_json
from firehose.records.cbor import LIST, MAP, NUMBER, TEXT, encoded_text, head, in_order

_NUMBER: Final = NUMBER << 5  # first bytes, to which a length is added
_TEXT: Final = TEXT << 5
_LIST: Final = LIST << 5
_RECORD: Final = MAP << 5
_IS_TEXT: Final = "'t'"
_IS_ENCODED: Final = "'e'"
# Each value of JSON as msgspec writes it; of a key nothing.
_VALUES: Final = r"""'"(?:[^"\\\\]|\\\\.)*":|("(?:[^"\\\\]|\\\\.)*"|-?[0-9]+|true|false|null|\\[\\]|\\{\\})'"""


class Piece(NamedTuple):
    """SQL for a text, and the bytes before it.

    ``way`` is SQL for how the value is encoded: as a text, not at all, as it is DAG-CBOR already, or by the shape
    of the JSON that it is.
    """

    before: bytes
    value: str
    is_there: str
    way: str = _IS_TEXT


class SqlMaker:
    """Describes parts of records. ``plain`` has SQL for each column, ``table`` has the shapes."""

    def __init__(self, plain: Mapping[str, str], table: str) -> None:
        self._plain, self._table = plain, table

    def text(self, column: str) -> list[Piece]:
        return [text(self._plain[column])]

    def texts(self, column: str) -> list[Piece]:
        value = self._plain[column]
        each = f"arrayStringConcat(arrayMap(x -> {_encoded_text('x')}, {value}))"
        encoded = f"concat({_head(_LIST, f'length({value})')}, {each})"
        return [Piece(b"", f"if(empty({value}), NULL, {encoded})", f"notEmpty({value})", _IS_ENCODED)]

    def map(self, parts: Mapping[str, list[Piece]]) -> list[Piece]:
        return _after(head(MAP, len(parts)), _entries(parts))

    def json(self, column: str) -> list[Piece]:
        return [text(self._plain[column])._replace(way=f"ifNull({self._table}.{shape(column)}, '')")]

    def without(self, column: str) -> None:
        """Nothing to say: where the column is not null, the CID is stored."""


def text(value: str) -> Piece:
    """A text, SQL for which is ``value``."""
    return Piece(b"", value, f"isNotNull({value})")


def shape(column: str) -> str:
    """The column that has the shapes of a column's JSON."""
    return f"{column}_shape"


def cid(required: Mapping[str, list[Piece]], optional: Mapping[str, list[Piece]]) -> str:
    """The CID of a record that has the required parts, and those optional ones that a row has."""
    count = " + ".join([str(_RECORD + len(required)), *(part[0].is_there for part in optional.values())])
    digest = (
        f"concat(unhex('01711220'), SHA256(concat(char({count}), {_encoded(_entries({**required, **optional}))})))"
    )
    return f"concat('b', lower(trimRight(base32Encode({digest}), '=')))"


def _encoded(pieces: list[Piece]) -> str:
    found, ways = "assumeNotNull(x)", {piece.way for piece in pieces}
    cases = [f"w = {_IS_ENCODED}, {found}"] if _IS_ENCODED in ways else []
    if ways - {_IS_TEXT, _IS_ENCODED}:
        cases.append(f"w != {_IS_TEXT}, {_of_json(found, 'w')}")
    encoded = _encoded_text(found)
    if cases:
        encoded = f"multiIf({', '.join(cases)}, {encoded})"
    befores = ", ".join(f"'{piece.before.hex()}'" for piece in pieces)
    values, each = ", ".join(piece.value for piece in pieces), ", ".join(piece.way for piece in pieces)
    made = f"if(isNull(x), '', concat(unhex(b), {encoded}))"
    return f"arrayStringConcat(arrayMap((b, x, w) -> {made}, [{befores}], [{values}], [{each}]))"


def _of_json(json: str, by: str) -> str:
    """JSON, encoded by its shape: each value behind the bytes before it, in the order of their places."""
    kind, pieces = "substring(s, 3, 1)", f"splitByChar(' ', {by})"
    values = f"arrayResize(arrayFilter(v -> notEmpty(v), extractAll({json}, {_VALUES})), length({pieces}))"
    # A link is within quotes, behind a b.
    link = "tryBase32Decode(upper(concat(substring(v, 3, 58), '======')))"
    bare = f"multiIf({kind} = '{cbor_json.TEXT}', JSONExtractString(v), {kind} = '{cbor_json.LINK}', {link}, v)"
    encoded = (
        f"multiIf({kind} = '{cbor_json.CONSTANT}', '', {kind} = '{cbor_json.LINK}', x,"
        f" {kind} = '{cbor_json.WHOLE}', {_number('toUInt32OrZero(x)')}, {_encoded_text('x')})"
    )
    each = (
        f"arrayMap((s, x) -> concat(unhex(substring(s, 4)), {encoded}),"
        f" {pieces}, arrayMap((s, v) -> {bare}, {pieces}, {values}))"
    )
    return f"arrayStringConcat(arraySort((e, s) -> substring(s, 1, 2), {each}, {pieces}))"


def _entries(parts: Mapping[str, list[Piece]]) -> list[Piece]:
    return [piece for key, part in in_order(parts) for piece in _after(encoded_text(key), part)]


def _after(before: bytes, pieces: list[Piece]) -> list[Piece]:
    first, *rest = pieces
    return [first._replace(before=before + first.before), *rest]


def _encoded_text(text: str) -> str:
    return f"concat({_head(_TEXT, f'length({text})')}, {text})"


def _head(first: int, size: str) -> str:
    """What comes before a text or a list; ``first``: its first byte without a length."""
    return (
        f"multiIf({size} < 24, char({first} + {size}), {size} < 256, char({first + 24}, {size}),"
        f" char({first + 25}, intDiv({size}, 256), modulo({size}, 256)))"
    )


def _number(number: str) -> str:
    wide = f"concat(char({_NUMBER + 26}), unhex(leftPad(hex({number}), 8, '0')))"
    return f"if({number} < 65536, {_head(_NUMBER, number)}, {wide})"
