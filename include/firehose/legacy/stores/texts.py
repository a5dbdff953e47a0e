"""The old system's ways to write an address, a time and a list into a text, and back.

Lives here: pure functions that stores share. Must not: know a store.
"""

from __future__ import annotations

import re
from datetime import datetime
from functools import lru_cache
from typing import Final, NamedTuple

from firehose.syntax import DID, NSID, RECORD_KEY, Syntax


class Broken(ValueError):
    """What a file or row says makes no record; the message says why."""


def _bare(syntax: Syntax) -> str:
    return syntax.pattern.removeprefix("^").removesuffix("$")


_ADDRESS: Final = re.compile(f"at://({_bare(DID)})/({_bare(NSID)})/({_bare(RECORD_KEY)})")
_LONGEST: Final = 8192
_RECEIVED: Final = re.compile(r"\d{4}-\d\d-\d\d-\d\d:\d\d:\d\d", re.ASCII)
# A separator is one only before the next name: addresses hold semicolons and commas as well.
_BETWEEN_FACETS: Final = re.compile("[;,](?=(?:tag|link|mention):)")
_FACET: Final = re.compile("(?:tag|link|mention):.*", re.DOTALL)


class Address(NamedTuple):
    """The parts of a record's at-uri."""

    did: str
    collection: str
    rkey: str


def address(uri: str) -> Address:
    """The parts of ``uri``.

    Raises:
        Broken: it is not the address of a record.
    """
    match = _ADDRESS.fullmatch(uri) if len(uri) <= _LONGEST else None
    if match is None:
        raise Broken(f"uri {uri[:100]!r} is not the at-uri of a record")
    return Address(*match.groups())


@lru_cache(4096)
def received_us(text: str) -> int:
    """The time of a ``synctimestamp`` (UTC, to the second) in microseconds.

    Raises:
        Broken: it is not such a text.
    """
    try:
        if not _RECEIVED.fullmatch(text):
            raise ValueError
        # As ISO 8601, which takes a twentieth of strptime's time.
        moment = datetime.fromisoformat(f"{text[:10]}T{text[11:]}+00:00")
    except ValueError:
        raise Broken(f"{text[:40]!r} is not a time like 2024-10-05-14:03:09") from None
    return int(moment.timestamp()) * 1_000_000


def split(text: str | None, separators: str = ";") -> list[str] | None:
    """A list that was joined by ``;``. Where ``separators`` are several, the first one that occurs counts.

    A value that holds the separator comes out as two: what was joined does not tell.
    """
    if text is None:
        return None
    separator = next((each for each in separators if each in text), separators[0])
    return text.split(separator)


def facets(text: str | None) -> list[str] | None:
    """The ``kind:value`` texts of ``tag:x;link:https://…``.

    Raises:
        Broken: one of them has no kind that the old system knew.
    """
    if text is None:
        return None
    parts = _BETWEEN_FACETS.split(text)
    for part in parts:
        if not _FACET.fullmatch(part):
            raise Broken(f"facets: {part[:60]!r} is neither a tag nor a link nor a mention")
    return parts
