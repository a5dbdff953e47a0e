"""DAG-CBOR of records as SQL over columns: the other :class:`firehose.records.cbor.Maker`. Pure text.

Must not: know any type or field; decide which rows are described (closed files store the CID of the others).
"""

from __future__ import annotations

from collections.abc import Mapping

from firehose.records.cbor import encoded_text, head, in_order

_MAP = 5


class SqlMaker:
    """Encodes parts of records as SQL. ``plain`` has SQL for each column; a part is NULL in rows that lack it."""

    def __init__(self, plain: Mapping[str, str]) -> None:
        self._plain = plain

    def text(self, column: str) -> str:
        return text(self._plain[column])

    def texts(self, column: str) -> str:
        lists = self._plain[column]
        parts = f"arrayStringConcat(arrayMap(x -> {text('x')}, {lists}))"
        return f"if(empty({lists}), NULL, concat({_head(128, f'length({lists})')}, {parts}))"

    def map(self, parts: Mapping[str, str]) -> str:
        entries = (f"{_bytes(encoded_text(key))}, {part}" for key, part in in_order(parts))
        return f"concat({_bytes(head(_MAP, len(parts)))}, {', '.join(entries)})"

    def without(self, column: str) -> None:
        """Nothing to say: where the column is not null, the CID is stored."""


def record(required: Mapping[str, str], optional: Mapping[str, str]) -> str:
    """Objects of the required parts and of those optional ones that a row has."""
    count = " + ".join([str(len(required)), *(f"isNotNull({part})" for part in optional.values())])
    entries = [f"char(160 + {count})"]
    for key, part in in_order({**required, **optional}):
        entry = f"concat({_bytes(encoded_text(key))}, {part})"
        entries.append(f"ifNull({entry}, '')" if key in optional else entry)
    return f"concat({', '.join(entries)})"


def text(value: str) -> str:
    """A string, encoded."""
    return f"concat({_head(96, f'length({value})')}, {value})"


def cid(encoded: str) -> str:
    """The CID of a record's DAG-CBOR."""
    digest = f"concat(unhex('01711220'), SHA256(assumeNotNull({encoded})))"
    return f"concat('b', lower(replaceAll(base32Encode({digest}), '=', '')))"


def _head(major: int, count: str) -> str:
    size = f"ifNull({count}, 0)"
    return (
        f"multiIf({size} < 24, char({major} + {size}), {size} < 256, char({major} + 24, {size}),"
        f" char({major} + 25, intDiv({size}, 256), modulo({size}, 256)))"
    )


def _bytes(raw: bytes) -> str:
    return f"unhex('{raw.hex()}')"
