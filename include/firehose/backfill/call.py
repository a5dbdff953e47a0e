"""A call to an archive, before it is made.

Lives here: its address, and what is sent with it. Must not: connections.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple
from urllib.parse import urlencode

from firehose.backfill.access import Key
from firehose.jetstream import NAMESPACE, Host


class Call(NamedTuple):
    """A call to a host; with a body it is a POST. ``etag``: the tag that the answer must have, if it has one.

    ``key`` is only sent to its own host; ``received`` is called with the size of each part of the answer.
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
        """The address."""
        query = f"?{urlencode(self.parameters)}" if self.parameters else ""
        return f"{self.host.base}/xrpc/{NAMESPACE}{self.name}{query}"
