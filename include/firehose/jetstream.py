"""Jetstream hosts by their URLs: protocol, name, and where v2's calls over HTTP are.

Lives here: pure functions on URLs. Must not: connections, settings.
"""

from __future__ import annotations

from typing import Final, NamedTuple
from urllib.parse import urlsplit

from firehose.errors import FirehoseError
from ingester.contract.settings import redacted

#: All calls of v2 begin with it, after ``/xrpc/``.
NAMESPACE: Final = "network.bsky.jetstream."
_STREAM: Final = f"/xrpc/{NAMESPACE}subscribeEvents"
_HTTP: Final = {"ws": "http", "wss": "https", "http": "http", "https": "https"}


class Host(NamedTuple):
    """A host. ``name`` is host and port without a login; ``base`` is where ``/xrpc/…`` follows over HTTP."""

    url: str
    name: str
    base: str
    v2: bool


def host_of(url: str) -> Host:
    """The host of a stream's URL, or of a plain ``https://…``; v2 by the path, as for the ingester.

    Raises:
        FirehoseError: ``url`` is none.
    """
    try:
        parts = urlsplit(url.strip())
        scheme, name = _HTTP.get(parts.scheme), parts.netloc.rpartition("@")[2]
        # Both raise where a connection would: a port that is no number, a name that no resolver can be asked for.
        _ = parts.port, (parts.hostname or "").encode("idna")
    except ValueError:  # or brackets that are no IPv6 address
        scheme, name = None, ""
    if scheme is None or not name:
        raise FirehoseError(
            f"{redacted(url)!r} is no Jetstream host: name ws://… or wss://…, ending in /subscribe (v1) or "
            f"{_STREAM} (v2)"
        )
    prefix = parts.path.partition("/xrpc/")[0].rstrip("/")
    base = f"{scheme}://{name}{prefix if '/xrpc/' in parts.path else ''}"
    return Host(url.strip(), name, base, parts.path.rstrip("/").endswith(_STREAM))
