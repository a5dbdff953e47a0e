"""A subscriber's request: the query of ``/subscribe`` and the ``options_update`` message.

Lives here: parsing, limits and matching, as Jetstream v1 does them. Must not: connections.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final, NamedTuple
from urllib.parse import parse_qs

import msgspec

MAX_COLLECTIONS: Final = 100
MAX_DIDS: Final = 10_000
# atproto.com/specs/did and /nsid, without their greatest lengths.
_DID: Final = re.compile(r"did:[a-z]+:[a-zA-Z0-9._:%-]*[a-zA-Z0-9._-]")
_NSID: Final = re.compile(r"[a-zA-Z][a-zA-Z0-9-]*(\.[a-zA-Z0-9][a-zA-Z0-9-]*)+\.[a-zA-Z][a-zA-Z0-9]*")
_INTEGER: Final = re.compile(r"[+-]?[0-9]{1,19}")
_INT64: Final = 1 << 63


class InvalidOptions(ValueError):
    """The subscriber asked for something that v1 refuses. The message is for the subscriber; ``malformed``: it
    could not be decoded."""

    malformed = False


class Filter(NamedTuple):
    """The events that a subscriber gets. An empty field does not restrict them."""

    collections: frozenset[str] = frozenset()
    prefixes: tuple[str, ...] = ()
    dids: frozenset[str] = frozenset()
    max_bytes: int = 0

    @property
    def by_content(self) -> bool:
        """True if the filter depends on what is in an event."""
        return bool(self.collections or self.prefixes or self.dids)

    def wants(self, did: str, collection: str) -> bool:
        """Collections restrict commits only (others have none); DIDs restrict every kind."""
        if self.dids and did not in self.dids:
            return False
        return not collection or self.wants_collection(collection)

    def wants_collection(self, collection: str) -> bool:
        """True if commits to this collection pass."""
        if not (self.collections or self.prefixes):
            return True
        return collection in self.collections or collection.startswith(self.prefixes)


class Request(NamedTuple):
    """A subscription as asked for in the opening handshake."""

    filter: Filter
    cursor: int | None
    compress: bool
    require_hello: bool


class _Payload(msgspec.Struct):
    wantedCollections: list[str] | None = None
    wantedDids: list[str] | None = None
    maxMessageSizeBytes: int | None = None


class _Message(msgspec.Struct):
    type: str = ""
    payload: msgspec.Raw = msgspec.Raw(b"null")


def parse_request(query: str, socket_encoding: str) -> Request:
    """The query string and the ``Socket-Encoding`` header of a handshake.

    Raises:
        InvalidOptions: a cursor that is not an integer, malformed names, too many of them.
    """
    given = parse_qs(query, keep_blank_values=True)

    def first(name: str) -> str:
        return given.get(name, [""])[0]

    size = first("maxMessageSizeBytes")
    return Request(
        filter=make_filter(
            given.get("wantedCollections", []),
            given.get("wantedDids", []),
            int(size) if _INTEGER.fullmatch(size) else 0,
        ),
        cursor=_cursor(first("cursor")),
        compress="zstd" in socket_encoding or first("compress") == "true",
        require_hello=first("requireHello") == "true",
    )


def parse_update(message: str) -> Filter | None:
    """The filter of an ``options_update``; None for a message of another type, which v1 ignores.

    Raises:
        InvalidOptions: no such message, or options that are refused.
    """
    try:
        decoded = msgspec.json.decode(message, type=_Message)
        if decoded.type != "options_update":
            return None
        payload = msgspec.json.decode(decoded.payload, type=_Payload | None) or _Payload()
    except msgspec.DecodeError as error:
        refusal = InvalidOptions(f"failed to unmarshal subscriber options update: {error}")
        refusal.malformed = True
        raise refusal from None
    return make_filter(payload.wantedCollections or [], payload.wantedDids or [], payload.maxMessageSizeBytes or 0)


def make_filter(collections: Sequence[str], dids: Sequence[str], max_bytes: int) -> Filter:
    """A filter; a size of zero or less means no limit.

    Raises:
        InvalidOptions: a malformed NSID or DID, over 100 collections, over 10,000 DIDs.
    """
    prefixes = tuple(name.removesuffix("*") for name in collections if name.endswith(".*"))
    full = frozenset(name for name in collections if not name.endswith(".*"))
    for name in full:
        if not _NSID.fullmatch(name):
            raise InvalidOptions(f"invalid subscriber options: invalid collection: {name}")
    for did in dids:
        if not _DID.fullmatch(did):
            raise InvalidOptions("invalid subscriber options: invalid DID")
    wanted = frozenset(dids)
    if len(wanted) > MAX_DIDS:
        raise InvalidOptions("invalid subscriber options: too many wanted DIDs")
    if len(prefixes) + len(full) > MAX_COLLECTIONS:
        raise InvalidOptions("invalid subscriber options: too many wanted collections")
    return Filter(full, prefixes, wanted, max(0, max_bytes))


def _cursor(text: str) -> int | None:
    if not text:
        return None
    cursor = int(text) if _INTEGER.fullmatch(text) else _INT64
    if not -_INT64 <= cursor < _INT64:
        raise InvalidOptions(f"invalid cursor: {text}")
    return cursor
