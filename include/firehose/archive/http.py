"""One call of an archive over HTTP: bounded in time and in size, and asked again when it fails for a moment.

Lives here: connections, redirects, what a refusal means. Must not: what a call means, which bytes may come.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from email.utils import parsedate_to_datetime
from http import HTTPStatus
from http.client import HTTPConnection, HTTPException, HTTPResponse, HTTPSConnection
from socket import SHUT_RDWR
from threading import Timer
from typing import IO, Final, NamedTuple, TypeVar
from urllib.parse import urlencode, urljoin, urlsplit, urlunsplit

import msgspec

from firehose.archive.access import Key, origin
from firehose.errors import CorruptArchive, FirehoseError, ServiceUnavailable, Throttled
from firehose.jetstream import NAMESPACE, Host

log = logging.getLogger(__name__)
T = TypeVar("T")
#: A call, and the part of a download that brings ``_WATCHED_BYTES``, may take so long.
TIMEOUT_S: Final = 60.0
_WATCHED_BYTES: Final = 16 << 20
_PAUSES_S: Final = (0.5, 2.0)
#: How long to wait, in all, for a host that asks to be left alone.
_PATIENCE_S: Final = 120.0
_MOST_REDIRECTS: Final = 5
_REDIRECTS: Final = (301, 302, 303, 307, 308)
_SAME_METHOD: Final = (307, 308)
_NO_KEY: Final = (
    "it asks for a key: set FIREHOSE_ARCHIVE_KEY (or …_KEY_FILE), and FIREHOSE_ARCHIVE_URL to this host"
)
_UNKNOWN_KEY: Final = "it does not know the key of FIREHOSE_ARCHIVE_KEY or FIREHOSE_ARCHIVE_KEY_FILE: check it"


class Call(NamedTuple):
    """What to ask a host; with a body it is a POST. ``etag``: what the answer must be, if it says what it is.

    ``key`` is sent to its own host only; ``received`` is told of each part of an answer that has come.
    """

    host: Host
    name: str
    parameters: dict[str, str]
    body: bytes | None = None
    etag: str = ""
    key: Key | None = None
    received: Callable[[int], None] = lambda count: None

    @property
    def url(self) -> str:
        """Where to ask."""
        query = f"?{urlencode(self.parameters)}" if self.parameters else ""
        return f"{self.host.base}/xrpc/{NAMESPACE}{self.name}{query}"


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
        while chunk := _read(call, response, _WATCHED_BYTES, watch):
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
        while left and (chunk := _read(call, response, min(left, _WATCHED_BYTES), watch)):
            _keep(into, chunk)
            left -= len(chunk)
        if left or response.read(1):
            raise CorruptArchive(f"{call.host.name}: {call.name} does not answer with {size} bytes")


def retried(host: Host, ask: Callable[[], T], sleep: Callable[[float], None]) -> T:
    """The answer of ``ask``, which may fail for a moment: a heal asks hundreds of times.

    A host that asks to be left alone for a while is, unless it is for too long.

    Raises:
        ServiceUnavailable: it failed every time, or the host wants to be left alone for longer.
        FirehoseError: it refuses for good.
    """
    pauses, patience_s = iter(_PAUSES_S), _PATIENCE_S
    while True:
        try:
            return ask()
        except Throttled as error:
            why, pause_s = str(error), max(error.wait_s, _PAUSES_S[0])
            patience_s -= pause_s
            if patience_s < 0:
                raise
        except ServiceUnavailable as error:
            why = str(error)
            if (pause_s := next(pauses, -1.0)) < 0:
                raise
        except (OSError, HTTPException) as error:
            why = f"{type(error).__name__}: {error}"
            if (pause_s := next(pauses, -1.0)) < 0:
                raise ServiceUnavailable(
                    f"the archive at {host.base} does not answer ({why}); try again"
                ) from None
        log.info("%s: %s; asking again in %.1f s", host.name, why, pause_s)
        sleep(pause_s)


@contextmanager
def _response(call: Call) -> Iterator[tuple[HTTPResponse, _Watch]]:
    url = call.url
    for _ in range(_MOST_REDIRECTS + 1):
        with _opened(url, call) as (response, watch):
            if response.status in _REDIRECTS:
                url = _redirected(call, url, response)
                continue
            if response.status != 200:
                raise _refused(call, url, response)
            etag = response.getheader("ETag", "").removeprefix("W/").strip('"')
            # Another host that has the file has tags of its own.
            if call.etag and etag and etag != call.etag and origin(url) == origin(call.url):
                what = f"{call.host.name}: {call.name} {' '.join(call.parameters.values())}"
                raise CorruptArchive(
                    f"{what} is {etag[:40]}, not {call.etag}: the archive changed while it was being read; "
                    "heal again"
                )
            yield response, watch
            return
    raise ServiceUnavailable(f"{call.host.name}: {call.name} is redirected over {_MOST_REDIRECTS} times")


@contextmanager
def _opened(url: str, call: Call) -> Iterator[tuple[HTTPResponse, _Watch]]:
    parts = urlsplit(url)
    kind = HTTPSConnection if parts.scheme == "https" else HTTPConnection
    connection = kind(parts.hostname or "", parts.port, timeout=TIMEOUT_S / 2)
    headers = {"Content-Type": "application/json"} if call.body is not None else {}
    headers |= call.key.header(url) if call.key else {}
    connection.connect()
    with _Watch(connection) as watch:
        path = urlunsplit(("", "", parts.path or "/", parts.query, ""))
        connection.request("GET" if call.body is None else "POST", path, call.body, headers)
        yield connection.getresponse(), watch


def _redirected(call: Call, url: str, response: HTTPResponse) -> str:
    """Where a redirect leads. What is said of it has no query: that may be a signature.

    Raises:
        ServiceUnavailable: it leads nowhere, out of encryption, or would turn a POST into something else.
    """
    location = response.getheader("Location", "")
    try:
        target = urljoin(url, location)
        scheme, name, _ = origin(target)
    except ValueError:
        scheme, name = "", ""
    if scheme not in ("http", "https") or not name or not location:
        raise ServiceUnavailable(f"{call.host.name}: {call.name} is redirected to no address")
    if urlsplit(url).scheme == "https" and scheme != "https":
        raise ServiceUnavailable(f"{call.host.name}: {call.name} is redirected to {name} without encryption")
    if call.body is not None and response.status not in _SAME_METHOD:
        raise ServiceUnavailable(
            f"{call.host.name}: {call.name}, a POST, is redirected with HTTP {response.status}: it would be lost"
        )
    return target


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


def _read(call: Call, response: HTTPResponse, size: int, watch: _Watch) -> bytes:
    watch.again()
    chunk = response.read(size)
    call.received(len(chunk))
    return chunk


def _keep(into: IO[bytes], chunk: bytes) -> None:
    try:
        into.write(chunk)
        into.flush()
    except OSError as error:  # not the network's, and asking again does not help
        raise FirehoseError(
            f"temporary file of a segment: {error}; make room, or name another folder in TMPDIR"
        ) from None


def _refused(call: Call, url: str, response: HTTPResponse) -> FirehoseError:
    """What to raise for a status: only what may pass is worth another attempt."""
    try:
        told = msgspec.json.decode(response.read(65536), type=_Error)
    except (msgspec.MsgspecError, UnicodeDecodeError):
        told = _Error()
    said = " ".join(f"{told.error} {told.message}".split())[:200]
    if call.key:  # whatever a server repeats
        said = said.replace(call.key.secret, "***")
    status, where = response.status, call.host.name
    if origin(url) != origin(call.url):
        where = f"{where} (redirected to {urlsplit(url).hostname})"
    text = f"{where}: {call.name} is refused with HTTP {status} {said}".rstrip()
    if status == HTTPStatus.UNAUTHORIZED:
        return FirehoseError(f"{text}; {_UNKNOWN_KEY if call.key else _NO_KEY}")
    if status == HTTPStatus.FORBIDDEN:
        return FirehoseError(f"{text}; the key does not allow it: ask whoever runs the archive")
    wait_s = _wait_s(response.getheader("Retry-After", ""))
    if status == HTTPStatus.TOO_MANY_REQUESTS or (status == HTTPStatus.SERVICE_UNAVAILABLE and wait_s):
        return Throttled(f"{text}; it asks to wait {wait_s:.0f} s: heal again then, it goes on from here", wait_s)
    return ServiceUnavailable(text)


def _wait_s(retry_after: str) -> float:
    """``Retry-After``, in seconds or as a date; 0: nothing that can be read."""
    if retry_after.isascii() and retry_after.isdigit():
        return float(retry_after[:9])
    try:
        return max(0.0, parsedate_to_datetime(retry_after).timestamp() - time.time())
    except (ValueError, OverflowError):
        return 0.0
