"""Header lines that are sent before the response is known, with which ClickHouse reports progress.

Lives here: sending them, and leaving out the status line of the head that follows. Must not: their content.
"""

from __future__ import annotations

import asyncio
from typing import Any, Final

from starlette.types import Scope
from uvicorn.protocols.http.httptools_impl import STATUS_LINE, RequestResponseCycle

_EXTENSION: Final = "clickhouse_http.http.early_head"


class EarlyHead:
    """The head of one response. Its first line is sent with the status 200, also where an error follows."""

    def __init__(self, cycle: RequestResponseCycle) -> None:
        self._cycle = cycle
        self._transport = cycle.transport
        self._begun = False

    def line(self, name: str, value: str) -> None:
        """Send one header line, unless the head is complete already or the client does not read."""
        cycle = self._cycle
        if cycle.response_started or cycle.disconnected or cycle.flow.write_paused:
            return
        if not self._begun:
            self._begun = True
            self._transport.write(STATUS_LINE[200])
            cycle.transport = _Rest(cycle, self._transport)  # type: ignore[assignment]
        self._transport.write(f"{name}: {value}\r\n".encode("latin-1", "replace"))


def offer(cycle: RequestResponseCycle) -> None:
    """Let the application that answers in ``cycle`` send early header lines."""
    extensions: dict[str, Any] = cycle.scope.setdefault("extensions", {})
    extensions[_EXTENSION] = EarlyHead(cycle)


def of(scope: Scope) -> EarlyHead | None:
    """The early head of the request with this scope; None where the HTTP server does not offer one."""
    found: EarlyHead | None = scope.get("extensions", {}).get(_EXTENSION)
    return found


class _Rest:
    """A transport that drops the status line from its first write, a head, and then gives way to the real one."""

    def __init__(self, cycle: RequestResponseCycle, transport: asyncio.Transport) -> None:
        self._cycle = cycle
        self._transport = transport

    def write(self, head: bytes) -> None:
        self._cycle.transport = self._transport
        self._transport.write(head.partition(b"\r\n")[2])

    def __getattr__(self, name: str) -> Any:
        return getattr(self._transport, name)
