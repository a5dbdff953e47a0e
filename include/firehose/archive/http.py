"""One call of an archive over HTTP: bounded in time and in size, and asked again when it fails for a moment.

Lives here: connections. Must not: what a call means.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from http.client import HTTPConnection, HTTPException, HTTPResponse, HTTPSConnection
from socket import SHUT_RDWR
from threading import Timer
from typing import IO, Final, NamedTuple, TypeVar
from urllib.parse import urlencode, urlsplit

import msgspec

from firehose.errors import CorruptArchive, FirehoseError, ServiceUnavailable
from firehose.jetstream import NAMESPACE, Host

log = logging.getLogger(__name__)
T = TypeVar("T")
#: A call, and the part of a download that brings ``_WATCHED_BYTES``, may take so long.
TIMEOUT_S: Final = 60.0
_WATCHED_BYTES: Final = 16 << 20
_PAUSES_S: Final = (0.5, 2.0)


class Call(NamedTuple):
    """What to ask a host; with a body it is a POST. ``etag``: what the answer must be, if it says what it is."""

    host: Host
    name: str
    parameters: dict[str, str]
    body: bytes | None = None
    etag: str = ""


class _Error(msgspec.Struct):
    error: str = ""
    message: str = ""


def content(call: Call, most: int) -> bytes:
    """The answer, of at most so many bytes.

    Raises:
        ServiceUnavailable: the host refuses.
        CorruptArchive: the answer is too long.
        OSError, HTTPException: the connection fails.
    """
    with _response(call) as (response, watch):
        parts: list[bytes] = []
        size = 0
        while chunk := _read(response, _WATCHED_BYTES, watch):
            parts.append(chunk)
            size += len(chunk)
            if size > most:
                raise CorruptArchive(f"{call.host.name}: {call.name} answers with over {most} bytes")
        if response.length:
            raise HTTPException(f"the answer ends {response.length} bytes early")
        return b"".join(parts)


def to_file(call: Call, size: int, into: IO[bytes]) -> None:
    """Write the answer, of exactly so many bytes, into a file from its beginning.

    Raises:
        FirehoseError: the file cannot be written.
        ServiceUnavailable, CorruptArchive, OSError, HTTPException: as for :func:`content`.
    """
    into.seek(0)
    into.truncate()
    with _response(call) as (response, watch):
        left = size
        while left and (chunk := _read(response, min(left, _WATCHED_BYTES), watch)):
            _keep(into, chunk)
            left -= len(chunk)
        if left or response.read(1):
            raise CorruptArchive(f"{call.host.name}: {call.name} does not answer with {size} bytes")


def retried(host: Host, ask: Callable[[], T], sleep: Callable[[float], None]) -> T:
    """The answer of ``ask``, which may fail for a moment: a heal asks hundreds of times.

    Raises:
        ServiceUnavailable: it failed every time.
    """
    for pause_s in _PAUSES_S:
        try:
            return ask()
        except (OSError, HTTPException, ServiceUnavailable) as error:
            log.info("%s: %s; asking again", host.name, error)
            sleep(pause_s)
    try:
        return ask()
    except (OSError, HTTPException) as error:
        raise ServiceUnavailable(
            f"the archive at {host.base} does not answer ({type(error).__name__}: {error}); try again"
        ) from None


@contextmanager
def _response(call: Call) -> Iterator[tuple[HTTPResponse, _Watch]]:
    parts = urlsplit(call.host.base)
    kind = HTTPSConnection if parts.scheme == "https" else HTTPConnection
    connection = kind(parts.hostname or "", parts.port, timeout=TIMEOUT_S / 2)
    path = f"{parts.path}/xrpc/{NAMESPACE}{call.name}"
    path += f"?{urlencode(call.parameters)}" if call.parameters else ""
    headers = {"Content-Type": "application/json"} if call.body is not None else {}
    connection.connect()
    with _Watch(connection) as watch:
        connection.request("GET" if call.body is None else "POST", path, call.body, headers)
        response = connection.getresponse()
        if response.status != 200:
            raise _refused(call, response)
        etag = response.getheader("ETag", "").removeprefix("W/").strip('"')
        if call.etag and etag and etag != call.etag:
            what = f"{call.host.name}: {call.name} {' '.join(call.parameters.values())}"
            raise CorruptArchive(
                f"{what} is {etag[:40]}, not {call.etag}: the archive changed while it was being read; heal again"
            )
        yield response, watch


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


def _refused(call: Call, response: HTTPResponse) -> ServiceUnavailable:
    try:
        told = msgspec.json.decode(response.read(65536), type=_Error)
    except (msgspec.MsgspecError, UnicodeDecodeError):
        told = _Error()
    said = " ".join(f"{told.error} {told.message}".split())[:200]
    return ServiceUnavailable(
        f"{call.host.name}: {call.name} is refused with HTTP {response.status} {said}".rstrip()
    )
