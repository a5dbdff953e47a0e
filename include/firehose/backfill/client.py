"""The calls to an archive: list its segments, make a plan, download a block or a whole segment.

Lives here: the calls as their lexicons define them, and checks of the answers. Must not: connections, the binary
format.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from typing import IO, Annotated, Any, Final, TypeVar

import msgspec
from msgspec import Meta

from firehose.backfill import http
from firehose.backfill.access import KEYED, Budget, Key
from firehose.backfill.call import Call
from firehose.backfill.retries import retried
from firehose.backfill.segment import MOST_BLOCK_BYTES
from firehose.errors import CorruptArchive
from firehose.jetstream import Host

T = TypeVar("T")
_MOST_JSON_BYTES: Final = 64 << 20
#: A segment of the network's archive has a few hundred MiB.
MOST_SEGMENT_BYTES: Final = 8 << 30
_MOST_SEGMENTS: Final = 1_000_000
_Number = Annotated[int, Meta(ge=0, le=2**63 - 1)]
_Name = Annotated[str, Meta(pattern=r"^[A-Za-z0-9_.-]{1,100}$")]


class Listed(msgspec.Struct, frozen=True, rename="camel"):
    """A sealed segment as ``listSegments`` describes it; times in µs, both ends included."""

    name: _Name
    index: _Number
    size_bytes: _Number
    checksum: str
    event_count: _Number
    min_seq: _Number
    max_seq: _Number
    min_witnessed_at: int
    max_witnessed_at: int


class BlockRange(msgspec.Struct, frozen=True):
    """Blocks to download, both ends included."""

    first: _Number
    last: Annotated[int, Meta(ge=0, le=2**24)]


class Planned(msgspec.Struct, frozen=True, rename="camel"):
    """A segment of a plan: the whole segment, or some of its blocks."""

    name: _Name
    checksum: str
    min_seq: _Number
    max_seq: _Number
    mode: str
    blocks: list[BlockRange] = []


class _Segments(msgspec.Struct):
    segments: list[Listed]
    cursor: str = ""


class _Plan(msgspec.Struct, rename="camel"):
    planned_through_seq: _Number
    sealed_tip_seq: _Number
    segments: list[Planned]


class ArchiveClient:
    """The archive of one v2 host. Each call opens a connection of its own.

    ``key`` is sent with calls that may require one; ``budget`` counts and limits what is downloaded.
    """

    def __init__(
        self,
        host: Host,
        sleep: Callable[[float], None] = time.sleep,
        *,
        key: Key | None = None,
        budget: Budget | None = None,
    ) -> None:
        self._host, self._sleep, self._key = host, sleep, key
        self.budget = budget or Budget()

    def segments(self) -> list[Listed]:
        """All sealed segments, in the order of their index.

        Raises:
            ServiceUnavailable: the host does not answer, or has no archive.
            CorruptArchive: the answer does not match the lexicon.
        """
        found: list[Listed] = []
        cursor = ""
        while True:
            parameters = {"limit": "1000", "cursor": cursor} if cursor else {"limit": "1000"}
            page = self._json(self._call("listSegments", parameters), _Segments)
            found += page.segments
            if not page.cursor:
                return sorted(found, key=lambda listed: listed.index)
            if page.cursor == cursor or not page.segments or len(found) > _MOST_SEGMENTS:
                raise CorruptArchive(f"{self._host.name}: listSegments does not end")
            cursor = page.cursor

    def plan(self, kinds: list[str], collections: list[str], after: int, before: int) -> Iterator[Planned]:
        """The segments to download for the events with ``after`` < seq <= ``before``, page by page.

        Raises:
            ServiceUnavailable, CorruptArchive: as for :meth:`segments`.
        """
        while after < before:
            asked: dict[str, Any] = {"afterSeq": after, "beforeSeq": before}
            if kinds:
                asked["kinds"] = kinds
            if collections:
                asked["collections"] = collections
            page = self._json(self._call("planSnapshot", {}, body=msgspec.json.encode(asked)), _Plan)
            if page.sealed_tip_seq < before:
                raise CorruptArchive(
                    f"{self._host.name}: its plan ends at {page.sealed_tip_seq}, although {before} is sealed"
                )
            yield from page.segments
            if page.planned_through_seq >= page.sealed_tip_seq:
                return
            if page.planned_through_seq <= after:
                raise CorruptArchive(f"{self._host.name}: planSnapshot does not end")
            after = page.planned_through_seq

    def block(self, segment: str, index: int, checksum: str) -> bytes:
        """A block's zstd frame; ``checksum`` is that of its segment.

        Raises:
            ServiceUnavailable, CorruptArchive: as for :meth:`segments`; or the segment has changed since.
            BudgetSpent: the limit is reached. The size of a block is not known before it is downloaded.
        """
        self.budget.allow(0, f"a block of {segment}")
        parameters = {"segment": segment, "blockIndex": str(index)}
        call = self._call("getBlock", parameters, etag=f"{checksum}:{index}")
        return self._counted(lambda: http.content(call, MOST_BLOCK_BYTES))

    def download(self, listed: Listed, into: IO[bytes]) -> None:
        """Write a whole segment into the empty file ``into``, which then has exactly the segment's size.

        Raises:
            ServiceUnavailable, CorruptArchive: as for :meth:`segments`.
            BudgetSpent: the download would exceed a limit.
        """
        if listed.size_bytes > MOST_SEGMENT_BYTES:
            raise CorruptArchive(
                f"{self._host.name}: {listed.name} has {listed.size_bytes} bytes, {MOST_SEGMENT_BYTES} are allowed"
            )
        self.budget.allow(listed.size_bytes, listed.name)
        call = self._call("getSegment", {"name": listed.name})
        self._counted(lambda: http.to_file(call, listed.size_bytes, into))

    def _call(self, name: str, parameters: dict[str, str], *, body: bytes | None = None, etag: str = "") -> Call:
        key = self._key if name in KEYED else None
        return Call(self._host, name, parameters, body, etag, key, self.budget.count)

    def _counted(self, ask: Callable[[], T]) -> T:
        try:
            return retried(self._host, ask, self._sleep)
        finally:
            self.budget.settle()

    def _json(self, call: Call, kind: type[T]) -> T:
        content = self._counted(lambda: http.content(call, _MOST_JSON_BYTES))
        try:
            return msgspec.json.decode(content, type=kind)
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
            raise CorruptArchive(
                f"{self._host.name}: the answer to {call.name} does not match its lexicon: {error}"
            ) from None
