"""Kinds of fields: which columns hold a part of a record, how it gets there and back, how SQL finds it in JSON.

A column holds a part only if it gives that part back exactly; else the part stays in ``extra``. Each kind is
declared once for all ways: decoded record to row, fast decoder to columns, row to record, JSON of an older file to
columns. References are in references.py. Must not: know any single type.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any, Final, Protocol

import msgspec
from msgspec import UNSET, UnsetType

from firehose.records.cbor import Maker, Part
from firehose.records.columns import Column
from firehose.records.json_sql import flag_in, number_in, raw_in, text_in, texts_in

Columns = dict[str, list[Any]]
Int64 = Annotated[int, msgspec.Meta(ge=-(2**63), le=2**63 - 1)]
_encode: Final = msgspec.json.encode


class Field(Protocol):
    """One part of a record (or of an identity or account event), under ``key``, and the columns that hold it."""

    @property
    def key(self) -> str:
        """Its name in the record."""

    @property
    def columns(self) -> tuple[Column, ...]:
        """The columns that hold it."""

    @property
    def plain(self) -> Any:
        """The type that a fast decoder asks for."""

    def take(self, value: object) -> tuple[tuple[Any, ...], bool]:
        """The columns' values of a decoded part, and whether they give it back exactly."""

    def taken(self, values: list[Any]) -> Columns:
        """The columns of parts that a fast decoder took."""

    def give(self, record: dict[str, Any], row: dict[str, Any]) -> None:
        """Put the part back into its record; nothing where the columns hold none."""

    @property
    def required(self) -> bool:
        """Whether a plain record has it."""

    def cbor(self, make: Maker[Part]) -> Part | None:
        """Its DAG-CBOR, made of the columns; None where that is not described."""

    def found_in(self, record: str) -> tuple[str, ...]:
        """SQL for the columns, where ``record`` is SQL for the record's JSON. As :meth:`take`: NULL for none.

        A list is then empty instead, because an array of the engine cannot be NULL.
        """

    def held_in(self, record: str) -> str:
        """SQL for whether they give the part back exactly."""


class _One(msgspec.Struct, frozen=True):
    """A field of one column."""

    key: str
    column: Column
    required: bool = False

    @property
    def columns(self) -> tuple[Column, ...]:
        return (self.column,)

    def taken(self, values: list[Any]) -> Columns:
        return {self.column.name: values if self.required else nulls(values)}

    def give(self, record: dict[str, Any], row: dict[str, Any]) -> None:
        if (value := row[self.column.name]) is not None:
            record[self.key] = value

    def cbor(self, make: Maker[Part]) -> Part | None:
        make.without(self.column.name)
        return None

    def found_in(self, record: str) -> tuple[str, ...]:
        raise NotImplementedError

    def held_in(self, record: str) -> str:
        return f"isNotNull({self.found_in(record)[0]})"


class Text(_One, frozen=True):
    """A string."""

    @property
    def plain(self) -> Any:
        return str if self.required else str | UnsetType

    def take(self, value: object) -> tuple[tuple[Any, ...], bool]:
        return ((value,), True) if isinstance(value, str) else ((None,), False)

    def cbor(self, make: Maker[Part]) -> Part | None:
        return make.text(self.column.name)

    def found_in(self, record: str) -> tuple[str, ...]:
        return (text_in(record, self.key),)


class Strings(_One, frozen=True):
    """A list of strings."""

    @property
    def plain(self) -> Any:
        return list[str] if self.required else list[str] | UnsetType

    def take(self, value: object) -> tuple[tuple[Any, ...], bool]:
        held = isinstance(value, list) and all(isinstance(each, str) for each in value)
        return ((value,), True) if held else ((None,), False)

    def cbor(self, make: Maker[Part]) -> Part | None:
        return make.texts(self.column.name)

    def found_in(self, record: str) -> tuple[str, ...]:
        return (f"if({self.held_in(record)}, JSONExtract({record}, '{self.key}', 'Array(String)'), [])",)

    def held_in(self, record: str) -> str:
        return texts_in(record, self.key)


class Json(_One, frozen=True):
    """Any value but null, as JSON. A fast decoder takes a value of ``shape`` only: an object or an array.

    ``in_cid``: its DAG-CBOR is described, for which files of closed hours have one column more.
    """

    shape: Any = dict[str, Any]
    in_cid: bool = False

    @property
    def plain(self) -> Any:
        return self.shape if self.required else self.shape | UnsetType

    def take(self, value: object) -> tuple[tuple[Any, ...], bool]:
        return ((None,), False) if value is None else ((_encode(value).decode(),), True)

    def taken(self, values: list[Any]) -> Columns:
        return {self.column.name: [None if value is UNSET else _encode(value).decode() for value in values]}

    def give(self, record: dict[str, Any], row: dict[str, Any]) -> None:
        if (text := row[self.column.name]) is not None:
            record[self.key] = msgspec.json.decode(text)

    def cbor(self, make: Maker[Part]) -> Part | None:
        return make.json(self.column.name) if self.in_cid else super().cbor(make)

    def found_in(self, record: str) -> tuple[str, ...]:
        return (raw_in(record, self.key),)


class Number(_One, frozen=True):
    """An integer of 64 bits."""

    @property
    def plain(self) -> Any:
        return Int64 if self.required else Int64 | UnsetType

    def take(self, value: object) -> tuple[tuple[Any, ...], bool]:
        return ((whole,), True) if (whole := integer(value)) is not None else ((None,), False)

    def found_in(self, record: str) -> tuple[str, ...]:
        return (number_in(record, self.key),)


class Flag(_One, frozen=True):
    """True or false."""

    @property
    def plain(self) -> Any:
        return bool if self.required else bool | UnsetType

    def take(self, value: object) -> tuple[tuple[Any, ...], bool]:
        return ((value,), True) if isinstance(value, bool) else ((None,), False)

    def found_in(self, record: str) -> tuple[str, ...]:
        return (flag_in(record, self.key),)


def integer(value: object) -> int | None:
    """``value`` where it is an integer that a column holds."""
    return value if isinstance(value, int) and not isinstance(value, bool) and -(2**63) <= value < 2**63 else None


def columns_of(fields: Sequence[Field]) -> tuple[Column, ...]:
    """The columns of some fields, in order."""
    return tuple(column for field in fields for column in field.columns)


def nulls(values: list[Any]) -> list[Any]:
    """The values that a fast decoder took, with None for what is not there."""
    return [None if value is UNSET else value for value in values]
