"""The named queries of the views: one ``.sql`` file each, asked with typed values that the server binds.

A file begins with a line of comment that says what it tells. A value is bound where the statement has
``{name:Type}``; ``-- one of NAME: a, b`` lists the values that it may have; ``-- kept N s``: it takes long,
and an answer may be so old. Must not: run them.
"""

from __future__ import annotations

import math
import re
import zoneinfo
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Final, NamedTuple

from firehose.errors import FirehoseError

FOLDER: Final = Path(__file__).parent / "queries"
_PLACE: Final = re.compile(r"\{(\w+):([^{}]+)\}")
_KEPT: Final = re.compile(r"-- kept (\d+) s")
_CHOICE: Final = re.compile(r"-- one of (\w+): (.+)")
_LONGEST: Final = 4_000
_LAST: Final = 4_102_444_800  # 2100, which every type of time holds


class BadValue(FirehoseError):
    """A value that a query cannot be asked with; the line names it."""


class NamedQuery(NamedTuple):
    """``types`` are those of its values by name, ``choices`` the values that some are limited to.

    ``kept_s``: for how many seconds an answer may be given again.
    """

    name: str
    about: str
    sql: str
    types: dict[str, str]
    choices: dict[str, frozenset[str]]
    kept_s: int

    def values(self, given: Mapping[str, str]) -> dict[str, str]:
        """The values as ClickHouse takes them.

        Raises:
            BadValue: one is missing, unknown, or not of its type.
        """
        if strange := sorted(set(given) - set(self.types)):
            raise BadValue(f"{self.name} has no value {strange[0]!r}; it has {', '.join(self.types) or 'none'}")
        if missing := sorted(set(self.types) - set(given)):
            raise BadValue(f"{self.name} needs the value {missing[0]}")
        return {name: self._value(name, value) for name, value in given.items()}

    def _value(self, name: str, value: str) -> str:
        if name in self.choices and value not in self.choices[name]:
            raise BadValue(f"{name} must be one of {', '.join(sorted(self.choices[name]))}")
        try:
            return (_BY_NAME.get(name) or _BY_TYPE[self.types[name]])(value)
        except ValueError as error:
            raise BadValue(f"{name} {error}") from None


def load(folder: Path = FOLDER) -> dict[str, NamedQuery]:
    """The queries by name.

    Raises:
        FirehoseError: a file has a value of a type that nothing checks.
    """
    found = (_read(path) for path in sorted(folder.glob("*.sql")))
    return {query.name: query for query in found}


def _read(path: Path) -> NamedQuery:
    text = path.read_text(encoding="utf-8")
    types = dict(_PLACE.findall(text))
    if unknown := sorted(set(types.values()) - set(_BY_TYPE)):
        raise FirehoseError(f"{path.name}: no check of values of type {unknown[0]}")
    choices = {name: frozenset(values.split(", ")) for name, values in _CHOICE.findall(text)}
    kept_s = int(kept[1]) if (kept := _KEPT.search(text)) else 0
    return NamedQuery(path.stem, text.partition("\n")[0].removeprefix("-- "), text, types, choices, kept_s)


def _text(value: str) -> str:
    if len(value) > _LONGEST or "\0" in value:
        raise ValueError(f"must be a text of at most {_LONGEST} characters")
    return value


def _whole(most: int) -> Callable[[str], str]:
    def check(value: str) -> str:
        if not value.isascii() or not value.isdecimal() or int(value) > most:
            raise ValueError(f"must be a whole number up to {most}")
        return str(int(value))

    return check


def _moment(value: str) -> str:
    """Seconds since 1970."""
    return f"{datetime.fromtimestamp(int(_whole(_LAST)(value)), UTC):%Y-%m-%d %H:%M:%S}"


def _number(value: str) -> str:
    number = float(value) if len(value) < 40 else math.nan
    if not math.isfinite(number):
        raise ValueError("must be a number")
    return repr(number)


def _zone(value: str) -> str:
    if value not in zoneinfo.available_timezones():
        raise ValueError("must be a time zone, Europe/Berlin for example")
    return value


_BY_TYPE: Final[dict[str, Callable[[str], str]]] = {
    "String": _text,
    "UInt8": _whole(255),
    "UInt32": _whole(2**32 - 1),
    "Float64": _number,
    "DateTime('UTC')": _moment,
}
_BY_NAME: Final[dict[str, Callable[[str], str]]] = {"zone": _zone}
