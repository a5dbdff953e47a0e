"""What an archive is asked: one call, before it is made.

Lives here: a call's address and what goes with it. Must not: connections.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple
from urllib.parse import urlencode

from firehose.backfill.access import Key
from firehose.jetstream import NAMESPACE, Host


class Call(NamedTuple):
    """A call of a host; with a body it is a POST. ``etag``: the tag that the answer must have, if it has one.

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
        """The address."""
        query = f"?{urlencode(self.parameters)}" if self.parameters else ""
        return f"{self.host.base}/xrpc/{NAMESPACE}{self.name}{query}"
