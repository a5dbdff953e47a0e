"""The archive's calls over HTTP: what there is, a plan, a block, a whole segment.

Lives here: requests and what a server may answer, bounded in time and size. Must not: Redis, the binary format.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from http.client import HTTPConnection, HTTPException, HTTPResponse, HTTPSConnection
from socket import SHUT_RDWR
from threading import Timer
from typing import IO, Annotated, Any, Final, TypeVar
from urllib.parse import urlencode, urlsplit

import msgspec
from msgspec import Meta

from firehose.archive.segment import MOST_BLOCK_BYTES
from firehose.errors import CorruptArchive, FirehoseError, ServiceUnavailable
from firehose.jetstream import NAMESPACE, Host

log = logging.getLogger(__name__)
T = TypeVar("T")
#: A call, and the part of a download that brings so many bytes, may take so long.
TIMEOUT_S: Final = 60.0
_CHUNK: Final = 1 << 20
_CHUNKS_A_WATCH: Final = 16
_MOST_JSON_BYTES: Final = 64 << 20
#: A segment of the network's archive has some hundred MiB.
MOST_SEGMENT_BYTES: Final = 8 << 30
_MOST_SEGMENTS: Final = 1_000_000
_PAUSES_S: Final = (0.5, 2.0)
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
    """A segment of a plan: whole, or some of its blocks."""

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


class _Error(msgspec.Struct):
    error: str = ""
    message: str = ""


class ArchiveClient:
    """The archive of one v2 host. Each call is a connection of its own."""

    def __init__(self, host: Host, sleep: Callable[[float], None] = time.sleep) -> None:
        self._host, self._sleep = host, sleep

    def segments(self) -> list[Listed]:
        """All sealed segments by their index.

        Raises:
            ServiceUnavailable: the host does not answer, or not with an archive.
            CorruptArchive: the answer is not what the lexicon says.
        """
        found: list[Listed] = []
        cursor = ""
        while True:
            parameters = {"limit": "1000", "cursor": cursor} if cursor else {"limit": "1000"}
            page = self._json("listSegments", _Segments, parameters)
            found += page.segments
            if not page.cursor:
                return sorted(found, key=lambda one: one.index)
            if page.cursor == cursor or not page.segments or len(found) > _MOST_SEGMENTS:
                raise CorruptArchive(f"{self._host.name}: listSegments comes to no end")
            cursor = page.cursor

    def plan(self, kinds: list[str], collections: list[str], after: int, before: int) -> Iterator[Planned]:
        """The segments to download for what has ``after`` < seq <= ``before``, page after page.

        Raises:
            ServiceUnavailable, CorruptArchive: as for :meth:`segments`.
        """
        while after < before:
            asked: dict[str, Any] = {"afterSeq": after, "beforeSeq": before}
            if kinds:
                asked["kinds"] = kinds
            if collections:
                asked["collections"] = collections
            page = self._json("planSnapshot", _Plan, body=msgspec.json.encode(asked))
            yield from page.segments
            if page.planned_through_seq >= page.sealed_tip_seq:
                return
            if page.planned_through_seq <= after:
                raise CorruptArchive(f"{self._host.name}: planSnapshot comes to no end")
            after, before = page.planned_through_seq, page.sealed_tip_seq

    def block(self, segment: str, index: int) -> bytes:
        """A block's zstd frame.

        Raises:
            ServiceUnavailable, CorruptArchive: as for :meth:`segments`.
        """
        parameters = {"segment": segment, "blockIndex": str(index)}
        return self._retried(lambda: self._content("getBlock", parameters, None, MOST_BLOCK_BYTES))

    def download(self, listed: Listed, into: IO[bytes]) -> None:
        """Write a whole segment into the empty file ``into``, which has exactly its size afterwards.

        Raises:
            ServiceUnavailable, CorruptArchive: as for :meth:`segments`.
        """
        if listed.size_bytes > MOST_SEGMENT_BYTES:
            raise CorruptArchive(
                f"{self._host.name}: {listed.name} has {listed.size_bytes} bytes, {MOST_SEGMENT_BYTES} are allowed"
            )
        self._retried(lambda: self._download(listed, into))

    def _download(self, listed: Listed, into: IO[bytes]) -> None:
        into.seek(0)
        into.truncate()
        with self._response("getSegment", {"name": listed.name}, None) as (response, watch):
            left = listed.size_bytes
            while left and (chunk := _read(response, min(left, _CHUNK * _CHUNKS_A_WATCH), watch)):
                _keep(into, chunk)
                left -= len(chunk)
            if left or response.read(1):
                raise CorruptArchive(f"{self._host.name}: {listed.name} does not have {listed.size_bytes} bytes")

    def _json(
        self, call: str, kind: type[T], parameters: dict[str, str] | None = None, body: bytes | None = None
    ) -> T:
        content = self._retried(lambda: self._content(call, parameters or {}, body, _MOST_JSON_BYTES))
        try:
            return msgspec.json.decode(content, type=kind)
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
            raise CorruptArchive(f"{self._host.name}: {call} answers not as its lexicon says: {error}") from None

    def _content(self, call: str, parameters: dict[str, str], body: bytes | None, most: int) -> bytes:
        with self._response(call, parameters, body) as (response, watch):
            parts: list[bytes] = []
            size = 0
            while chunk := _read(response, _CHUNK * _CHUNKS_A_WATCH, watch):
                parts.append(chunk)
                size += len(chunk)
                if size > most:
                    raise CorruptArchive(f"{self._host.name}: {call} answers with over {most} bytes")
            if response.length:
                raise HTTPException(f"the answer ends {response.length} bytes early")
            return b"".join(parts)

    @contextmanager
    def _response(
        self, call: str, parameters: dict[str, str], body: bytes | None
    ) -> Iterator[tuple[HTTPResponse, _Watch]]:
        parts = urlsplit(self._host.base)
        kind = HTTPSConnection if parts.scheme == "https" else HTTPConnection
        connection = kind(parts.hostname or "", parts.port, timeout=TIMEOUT_S / 2)
        path = f"{parts.path}/xrpc/{NAMESPACE}{call}" + (f"?{urlencode(parameters)}" if parameters else "")
        headers = {"Content-Type": "application/json"} if body is not None else {}
        connection.connect()
        with _Watch(connection) as watch:
            connection.request("GET" if body is None else "POST", path, body, headers)
            response = connection.getresponse()
            if response.status != 200:
                raise _refused(self._host.name, call, response)
            yield response, watch

    def _retried(self, ask: Callable[[], T]) -> T:
        """The answer of ``ask``, which may fail for a moment: a heal asks hundreds of times."""
        for pause_s in _PAUSES_S:
            try:
                return ask()
            except (OSError, HTTPException, ServiceUnavailable) as error:
                log.info("%s: %s; asking again", self._host.name, error)
                self._sleep(pause_s)
        try:
            return ask()
        except (OSError, HTTPException) as error:
            raise ServiceUnavailable(
                f"the archive at {self._host.base} does not answer ({type(error).__name__}: {error}); try again"
            ) from None


class _Watch:
    """Cuts a connection that takes too long: a server that sends a byte now and then outlasts any timeout."""

    def __init__(self, connection: HTTPConnection) -> None:
        self._connection = connection
        self._socket = connection.sock  # the connection forgets it once it knows that the server will close
        self._timer = self._started()

    def again(self) -> None:
        """Give it the whole time anew."""
        self._timer.cancel()
        self._timer = self._started()

    def _started(self) -> Timer:
        timer = Timer(TIMEOUT_S, self._cut)
        timer.daemon = True
        timer.start()
        return timer

    def _cut(self) -> None:
        with suppress(OSError):  # closed in the meantime
            self._socket.shutdown(SHUT_RDWR)

    def __enter__(self) -> _Watch:
        return self

    def __exit__(self, *_: object) -> None:
        self._timer.cancel()
        self._connection.close()


def _read(response: HTTPResponse, size: int, watch: _Watch) -> bytes:
    watch.again()
    return response.read(size)


def _keep(into: IO[bytes], chunk: bytes) -> None:
    try:
        into.write(chunk)
        into.flush()
    except OSError as error:  # not the network's, and asking again does not help
        raise FirehoseError(
            f"temporary file of a segment: {error}; make room, or name another folder in TMPDIR"
        ) from None


def _refused(host: str, call: str, response: HTTPResponse) -> ServiceUnavailable:
    try:
        told = msgspec.json.decode(response.read(65536), type=_Error)
    except (msgspec.MsgspecError, UnicodeDecodeError):
        told = _Error()
    said = " ".join(f"{told.error} {told.message}".split())[:200]
    return ServiceUnavailable(f"{host}: {call} is refused with HTTP {response.status} {said}".rstrip())
