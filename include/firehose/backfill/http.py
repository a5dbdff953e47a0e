"""A call to an archive over HTTP, limited in time and in size.

Lives here: connections, redirects, the body of an answer. Must not: know what a call means, interpret a refusal
(refusals.py), retry (retries.py).
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator, Callable
from contextlib import aclosing, asynccontextmanager
from functools import cache
from typing import IO, Final

import httpx

from firehose.backfill.access import origin
from firehose.backfill.call import Call
from firehose.backfill.refusals import redirected, refused
from firehose.errors import CorruptArchive, FirehoseError, ServiceUnavailable

#: The most seconds that a call, and each ``_WATCHED_BYTES`` of a download, may take.
TIMEOUT_S: Final = 60.0
_WATCHED_BYTES: Final = 16 << 20
_MOST_REDIRECTS: Final = 5
_REDIRECTS: Final = (301, 302, 303, 307, 308)
#: How much is read of an answer that says why a call is refused.
_REFUSAL_BYTES: Final = 65536


def content(call: Call, most: int) -> bytes:
    """The answer, of at most ``most`` bytes.

    Raises:
        ServiceUnavailable: the host refuses.
        CorruptArchive: the answer is too long.
        OSError, httpx.TransportError: the connection fails.
    """
    found = bytearray()

    def keep(chunk: bytes) -> None:
        found.extend(chunk)
        if len(found) > most:
            raise CorruptArchive(f"{call.host.name}: {call.name} answers with over {most} bytes")

    asyncio.run(_receive(call, keep))
    return bytes(found)


def to_file(call: Call, size: int, into: IO[bytes]) -> None:
    """Write the answer, of exactly ``size`` bytes, into a file from its beginning.

    Raises:
        FirehoseError: the file cannot be written.
        ServiceUnavailable, CorruptArchive, OSError, httpx.TransportError: as for :func:`content`.
    """
    into.seek(0)
    into.truncate()
    left = size
    wrong = CorruptArchive(f"{call.host.name}: {call.name} does not answer with {size} bytes")

    def keep(chunk: bytes) -> None:
        nonlocal left
        left -= len(chunk)
        if left < 0:
            raise wrong
        _write(into, chunk)

    asyncio.run(_receive(call, keep))
    if left:
        raise wrong


async def _receive(call: Call, keep: Callable[[bytes], None]) -> None:
    """Pass the body to ``keep`` as it arrives.

    A server that sends a byte now and then would outlast any timeout of a socket, so the whole body has a
    deadline, which is extended after each ``_WATCHED_BYTES``.
    """
    async with asyncio.timeout(TIMEOUT_S) as deadline, _answer(call) as response:
        watched = 0
        async for chunk in response.aiter_raw():
            call.received(len(chunk))
            keep(chunk)
            watched += len(chunk)
            if watched >= _WATCHED_BYTES:
                deadline.reschedule(asyncio.get_running_loop().time() + TIMEOUT_S)
                watched = 0


@asynccontextmanager
async def _answer(call: Call) -> AsyncIterator[httpx.Response]:
    """The answer with status 200, after all redirects.

    Only httpx's transport is used: its client logs whole URLs, and a query may be a signature.
    """
    url = call.url
    async with httpx.AsyncHTTPTransport(verify=_trusted()) as transport:
        for _ in range(_MOST_REDIRECTS + 1):
            async with aclosing(await transport.handle_async_request(_request(call, url))) as response:
                if response.status_code in _REDIRECTS:
                    url = redirected(call, url, response)
                    continue
                if response.status_code != httpx.codes.OK:
                    raise refused(call, url, response, await _beginning(response))
                _check_tag(call, url, response)
                yield response
                return
    raise ServiceUnavailable(f"{call.host.name}: {call.name} is redirected over {_MOST_REDIRECTS} times")


def _request(call: Call, url: str) -> httpx.Request:
    headers = {"Accept-Encoding": "identity"}
    headers |= {"Content-Type": "application/json"} if call.body is not None else {}
    try:
        address = httpx.URL(url)
    except httpx.InvalidURL as error:
        raise FirehoseError(f"{call.host.name}: {call.name} has an address that is not valid: {error}") from None
    # The parsed address, which is the one that is connected to, decides whether the key is sent.
    headers |= call.key.header(str(address)) if call.key else {}
    timeout = httpx.Timeout(TIMEOUT_S / 2).as_dict()
    method = "GET" if call.body is None else "POST"
    return httpx.Request(method, address, headers=headers, content=call.body, extensions={"timeout": timeout})


def _check_tag(call: Call, url: str, response: httpx.Response) -> None:
    tag = response.headers.get("ETag", "").removeprefix("W/").strip('"')
    # Another host, which a redirect may lead to, has tags of its own.
    if call.etag and tag and tag != call.etag and origin(url) == origin(call.url):
        what = f"{call.host.name}: {call.name} {' '.join(call.parameters.values())}"
        raise CorruptArchive(
            f"{what} is {tag[:40]}, not {call.etag}: the archive changed while it was being read; run the "
            "backfill again"
        )


async def _beginning(response: httpx.Response) -> bytes:
    found = b""
    async for chunk in response.aiter_raw():
        found += chunk
        if len(found) >= _REFUSAL_BYTES:
            break
    return found[:_REFUSAL_BYTES]


@cache
def _trusted() -> ssl.SSLContext:
    """The certificates that this machine trusts."""
    return ssl.create_default_context()


def _write(into: IO[bytes], chunk: bytes) -> None:
    try:
        into.write(chunk)
        into.flush()
    except OSError as error:  # a fault of the disk: a retry would not help
        raise FirehoseError(
            f"temporary file of a segment: {error}; make room, or name another folder in TMPDIR"
        ) from None
