"""A ``subscribeEvents`` client's request, and how it is refused.

Lives here: the query's parameters, their limits and matching, as the lexicon has them. Must not: connections.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from http import HTTPStatus
from typing import Final, NamedTuple
from urllib.parse import parse_qs

from jetstream_simulator import options
from jetstream_simulator.v2.message import KINDS, Message

#: Cursors from here on are microseconds since the epoch, below it they are sequence numbers.
FIRST_TIME_US: Final = 10**15
_DIGITS: Final = re.compile(r"[0-9]{1,19}")
_MAX_BYTES: Final = (1 << 32) - 1
_OF_V1: Final = {
    "wantedCollections": "use collections",
    "wantedDids": "use dids",
    "requireHello": "this endpoint is server-push only",
    "compress": "use zstdDictionary",
}


class Refused(ValueError):
    """An XRPC error: ``name`` and message are its JSON, ``status`` its HTTP status."""

    def __init__(self, name: str, message: str, status: HTTPStatus = HTTPStatus.BAD_REQUEST) -> None:
        super().__init__(message)
        self.name, self.status = name, status
        #: Of an HTTP 429: how long to wait.
        self.retry_after_s = 0


def invalid(message: str) -> Refused:
    """A request that breaks the lexicon."""
    return Refused("InvalidRequest", message)


class Filter(NamedTuple):
    """Which events a subscriber gets; every part that is named must match."""

    kinds: frozenset[str] = frozenset()
    names: options.Filter = options.Filter()

    @property
    def by_content(self) -> bool:
        """True if the filter leaves out anything."""
        return bool(self.kinds) or self.names.by_content

    def wants(self, message: Message) -> bool:
        """Collections restrict commits only, DIDs and kinds everything."""
        if self.kinds and message.kind not in self.kinds:
            return False
        return self.names.wants(message.did, message.collection)


class Request(NamedTuple):
    """A subscription as asked for. ``cursor`` is a sequence number or microseconds, ``dictionary`` a zstd id."""

    filter: Filter
    cursor: int | None = None
    dictionary: int | None = None


def parse(query: str) -> Request:
    """The query string of a handshake.

    Raises:
        Refused: a parameter of v1, a cursor or id that is not a number, malformed or too many names.
    """
    given = parse_qs(query, keep_blank_values=True)
    for name, instead in _OF_V1.items():
        if name in given:
            raise invalid(f"{name} is a parameter of /subscribe; {instead}")
    size = given.get("maxMessageSizeBytes", [""])[0]
    max_bytes = int(size) if _DIGITS.fullmatch(size) else 0
    return Request(
        filter=make_filter(
            given.get("kinds", []),
            given.get("dids", []),
            given.get("collections", []),
            max_bytes if max_bytes <= _MAX_BYTES else 0,
        ),
        cursor=_number(given, "cursor"),
        dictionary=_dictionary(given),
    )


def make_filter(kinds: Iterable[str], dids: list[str], collections: list[str], max_bytes: int = 0) -> Filter:
    """A filter, for a stream or for a plan of the archive.

    Raises:
        Refused: an unknown kind, a malformed or one too many name, collections that could never match.
    """
    wanted = frozenset(kinds)
    for kind in wanted - set(KINDS):
        raise invalid(f'unknown kind "{kind}" (valid: {", ".join(KINDS)})')
    if collections and wanted and "commit" not in wanted:
        raise invalid("the collections filter can never apply: kinds excludes commit")
    try:
        return Filter(wanted, options.make_filter(collections, dids, max_bytes))
    except options.InvalidOptions as error:
        raise invalid(str(error)) from None


def number(text: str, name: str) -> int:
    """A non-negative 64-bit integer.

    Raises:
        Refused: ``text`` is none; ``name`` is what it was given for.
    """
    if not _DIGITS.fullmatch(text) or int(text) >= 1 << 63:
        raise invalid(f"invalid {name}: {text!r} is not a non-negative integer")
    return int(text)


def _number(given: dict[str, list[str]], name: str) -> int | None:
    text = given.get(name, [""])[0]
    return number(text, name) if text else None


def _dictionary(given: dict[str, list[str]]) -> int | None:
    if "zstdDictionary" not in given:
        return None
    identifier = _number(given, "zstdDictionary")
    if not identifier:
        raise invalid("zstdDictionary must be a positive integer, the id of a zstd dictionary")
    return identifier
