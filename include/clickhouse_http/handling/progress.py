"""The progress of running queries, in ``X-ClickHouse-Progress`` as ClickHouse sends it.

Lives here: asking the engine, but not too often, and when a client is told. Must not: HTTP.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Awaitable, Callable, Iterator, Mapping
from typing import Final

from clickhouse_http.http.early_head import EarlyHead
from clickhouse_http.requests.request import Query

#: The engine is asked for all queries at once, and no more often than this.
_SHORTEST_S: Final = 0.1
#: After this many lines half as often, and so on: libraries accept about a hundred headers.
_LINES: Final = 16
_MOST_LINES: Final = 80
#: Counters of the running query, by the tag of its connection.
Running = Mapping[str, Mapping[str, int]]


class Progress:
    """The counters of all running queries. ``ask`` asks the engine for them."""

    def __init__(self, ask: Callable[[], Awaitable[Running]]) -> None:
        self._ask = ask
        self._known: Running = {}
        self._asked_at = float("-inf")
        self._lock = asyncio.Lock()

    async def of(self, tag: str) -> str | None:
        """The counters of the query with that tag, as ClickHouse writes them; None while there are none."""
        async with self._lock:
            if time.monotonic() - self._asked_at >= _SHORTEST_S:
                self._known = await self._ask()
                self._asked_at = time.monotonic()
        found = self._known.get(tag)
        return None if found is None else as_header(found)


async def tell(progress: Progress, tag: str, query: Query, head: EarlyHead | None) -> None:
    """Send the progress that the client of ``query`` asked for, until this is cancelled."""
    if head is None:
        return
    for pause_s in _pauses_s(query):
        await asyncio.sleep(pause_s)
        if (counters := await progress.of(tag)) is not None:
            head.line("X-ClickHouse-Progress", counters)


def as_header(counters: Mapping[str, int]) -> str:
    """Counters as ClickHouse writes them into a header."""
    return json.dumps({name: str(value) for name, value in counters.items()})


def _pauses_s(query: Query) -> Iterator[float]:
    """Seconds between the lines of progress that a client asked for; nothing, if it did not."""
    if query.settings.get("send_progress_in_http_headers", "0").lower() not in ("1", "true"):
        return
    interval = query.settings.get("http_headers_progress_interval_ms", "100")
    wish_s = int(interval) / 1000 if interval.isdecimal() and len(interval) <= 9 else _SHORTEST_S
    for line in range(_MOST_LINES):
        yield max(wish_s, _SHORTEST_S) * 2 ** (line // _LINES)
