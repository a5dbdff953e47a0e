"""Limits that all connections of an HTTP server share: how many may wait for a request, and for how long.

Lives here: closing those that have waited longest, and those that do not read. Must not: parsing HTTP.
"""

from __future__ import annotations

import asyncio
import resource
from collections import OrderedDict
from dataclasses import dataclass, field
from typing import Final, Protocol

from uvicorn.protocols.http.flow_control import FlowControl

from clickhouse_http.http.bursts import Bursts
from clickhouse_http.http.request_head import MAX_HEAD

#: For a head that fits into a few packets.
_HEAD_S: Final = 10.0
_WANTED_FILES: Final = 8192
UNREAD: Final = "a client did not read its result: its connection was cut"


class Waiting(Protocol):
    """A connection that waits for a request."""

    def cut(self, why: str) -> None:
        """Close it at once."""


@dataclass
class ConnectionLimits:
    """The limits, and the connections that count towards them.

    ``head_s``: seconds for a whole head. ``patience_s``: how long a client may read nothing of its response.
    ``max_connections``: beyond it, the one that has waited longest without a request is closed.
    ``max_waiting_bytes``: the same for the bytes of all unfinished heads. ``large``: connections with large heads.
    """

    head_s: float
    patience_s: float
    max_connections: int
    bursts: Bursts = field(default_factory=Bursts)
    max_waiting_bytes: int = 16 * MAX_HEAD
    waiting_bytes: int = 0
    large: set[Waiting] = field(default_factory=set)
    waiting: OrderedDict[Waiting, None] = field(default_factory=OrderedDict)

    @classmethod
    def of(cls, timeout_s: float) -> ConnectionLimits:
        """For clients that may be silent for ``timeout_s``. Raises the limit of open files as far as it may be."""
        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        files = min(hard, _WANTED_FILES) if hard != resource.RLIM_INFINITY else _WANTED_FILES
        if files > soft:
            resource.setrlimit(resource.RLIMIT_NOFILE, (files, hard))
        return cls(
            head_s=min(_HEAD_S, timeout_s),
            patience_s=timeout_s,
            max_connections=max(soft, files) // 2,
        )

    def make_room(self, connections: int) -> None:
        """Close connections without a request until the limits hold; the newest one stays."""
        while len(self.waiting) > 1 and (
            connections > self.max_connections or self.waiting_bytes > self.max_waiting_bytes
        ):
            oldest, _ = self.waiting.popitem(last=False)
            oldest.cut("too many connections or unfinished request heads: the oldest ones are closed")
            connections -= 1


class ImpatientFlow(FlowControl):
    """Waits for a reader, but not for ever: a result that is not read keeps a query and its memory."""

    def __init__(self, transport: asyncio.Transport, connection_limits: ConnectionLimits) -> None:
        super().__init__(transport)
        self._limits = connection_limits

    async def drain(self) -> None:
        try:
            async with asyncio.timeout(self._limits.patience_s):
                await super().drain()
        except TimeoutError:
            self._limits.bursts.note(UNREAD)
            self._transport.abort()
            await super().drain()  # until the loss of the connection has been noticed
