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
        each = f"concat({_head(_TEXT, 'length(x)')}, x)"
        encoded = f"concat({_head(_LIST, f'length({value})')}, arrayStringConcat(arrayMap(x -> {each}, {value})))"
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
    encoded = f"concat({_head(_TEXT, f'length({found})')}, {found})"
    if cases:
        encoded = f"multiIf({', '.join(cases)}, {encoded})"
    befores = ", ".join(f"'{piece.before.hex()}'" for piece in pieces)
    values, each = ", ".join(piece.value for piece in pieces), ", ".join(piece.way for piece in pieces)
    made = f"if(isNull(x), '', concat(unhex(b), {encoded}))"
    return f"arrayStringConcat(arrayMap((b, x, w) -> {made}, [{befores}], [{values}], [{each}]))"


def _of_json(json: str, by: str) -> str:
    """JSON, encoded by its shape: each value behind the bytes before it, in the order of their places."""
    kind, value, pieces = "substring(s, 3, 1)", "JSONExtractString(v)", f"splitByChar(' ', {by})"
    is_text = f"{kind} = '{cbor_json.TEXT}'"
    number = f"if({is_text}, length({value}), toUInt32OrZero(v))"
    wider = f"concat(char({_NUMBER + 26}), unhex(leftPad(hex({number}), 8, '0')))"
    plain = f"concat({_head(f'if({is_text}, {_TEXT}, {_NUMBER})', number, wider)}, if({is_text}, {value}, ''))"
    link = "tryBase32Decode(upper(concat(substring(v, 3, 58), '======')))"  # within quotes, behind a b
    encoded = f"multiIf({kind} = '{cbor_json.CONSTANT}', '', {kind} = '{cbor_json.LINK}', {link}, {plain})"
    values = f"arrayResize(arrayFilter(v -> notEmpty(v), extractAll({json}, {_VALUES})), length({pieces}))"
    each = f"arrayMap((s, v) -> concat(unhex(substring(s, 4)), {encoded}), {pieces}, {values})"
    return f"arrayStringConcat(arraySort((e, s) -> substring(s, 1, 2), {each}, {pieces}))"


def _entries(parts: Mapping[str, list[Piece]]) -> list[Piece]:
    return [piece for key, part in in_order(parts) for piece in _after(encoded_text(key), part)]


def _after(before: bytes, pieces: list[Piece]) -> list[Piece]:
    first, *rest = pieces
    return [first._replace(before=before + first.before), *rest]


def _head(first: int | str, size: str, wider: str = "") -> str:
    """What comes before a value. ``first``: its first byte without a length, ``wider``: for a size over 65,535."""
    more = f"char({first} + 25, intDiv({size}, 256), modulo({size}, 256))"
    last = f"{size} < 65536, {more}, {wider}" if wider else more
    return f"multiIf({size} < 24, char({first} + {size}), {size} < 256, char({first} + 24, {size}), {last})"
