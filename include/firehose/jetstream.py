"""Jetstream hosts by their URLs: protocol, name, and the address of v2's calls over HTTP.

Lives here: pure functions on URLs. Must not: connections, settings.
"""

from __future__ import annotations

from typing import Final, NamedTuple
from urllib.parse import urlsplit

from firehose.errors import FirehoseError
from ingester.contract.settings import redacted

#: The beginning of all v2 calls, after ``/xrpc/``.
NAMESPACE: Final = "network.bsky.jetstream."
_STREAM: Final = f"/xrpc/{NAMESPACE}subscribeEvents"
_HTTP: Final = {"ws": "http", "wss": "https", "http": "http", "https": "https"}


class Host(NamedTuple):
    """A host. ``name`` is host and port without a login; ``base`` is the HTTP address before ``/xrpc/…``."""

    url: str
    name: str
    base: str
    v2: bool


def host_of(url: str) -> Host:
    """The host of a stream's URL, or of a plain ``https://…``. As in the ingester, the path says if it is v2.

    Raises:
        FirehoseError: ``url`` is not the URL of a host.
    """
    try:
        parts = urlsplit(url.strip())
        scheme, name = _HTTP.get(parts.scheme), parts.netloc.rpartition("@")[2]
        # Both raise as a connection would: for a port that is not a number, or a name that cannot be resolved.
        _ = parts.port, (parts.hostname or "").encode("idna")
    except ValueError:  # for example brackets around something else than an IPv6 address
        scheme, name = None, ""
    if scheme is None or not name:
        raise FirehoseError(
            f"{redacted(url)!r} is not a Jetstream host: name ws://… or wss://…, ending in /subscribe (v1) or "
            f"{_STREAM} (v2)"
        )
    prefix = parts.path.partition("/xrpc/")[0].rstrip("/")
    base = f"{scheme}://{name}{prefix if '/xrpc/' in parts.path else ''}"
    return Host(url.strip(), name, base, parts.path.rstrip("/").endswith(_STREAM))
