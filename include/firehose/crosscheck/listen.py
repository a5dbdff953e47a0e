"""Receives the events of one host for a window of time, as fast as the host replays them.

Lives here: the connection, which is resumed by time when it breaks. Must not: compare.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable
from datetime import UTC, datetime
from functools import partial
from threading import Event
from typing import Final
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

from websockets.exceptions import ConnectionClosed, InvalidHandshake, InvalidURI
from websockets.sync.client import ClientConnection, connect

from firehose.crosscheck.compare import Tally, Window
from firehose.crosscheck.events import ONLY_V2, Ended, Unreadable, read_v1, read_v2
from firehose.errors import FirehoseError, ServiceUnavailable
from firehose.jetstream import Host
from firehose.settings import redacted
from ingester.contract.logs import get_logger
from ingester.contract.resyncs import Resyncs

log = get_logger(__name__)
_MAX_MESSAGE: Final = 32 << 20
#: How long a host may be silent.
SILENCE_S: Final = 20.0
#: How many attempts in a row may bring nothing new.
_ATTEMPTS: Final = 3
_REWIND_US: Final = 2_000_000
#: Times may go back a little: the window is over when this many events in a row lie after it, and a broken
#: connection resumes at the least time of this many.
_AFTER: Final = 50
#: Parameters of a URL that a listener does not support, or sets itself.
_NOT_ASKED: Final = ("cursor", "compress", "zstdDictionary", "requireHello")
_SCHEMES: Final = {"http": "ws", "https": "wss"}


class Listener:
    """Fills the tally of one host. ``stop`` ends it early; ``also_v2`` counts what only v2 hosts send."""

    def __init__(
        self,
        host: Host,
        window: Window,
        stop: Event,
        *,
        also_v2: bool,
        sleep: Callable[[float], None] = time.sleep,
        silence_s: float = SILENCE_S,
    ) -> None:
        self.tally = Tally(window)
        self._host, self._window, self._stop, self._sleep = host, window, stop, sleep
        self._also_v2, self._silence_s = also_v2, silence_s
        self._read = partial(read_v2, Resyncs()) if host.v2 else read_v1
        self._latest_us = 0
        self._last_us: deque[int] = deque(maxlen=_AFTER)
        self._after = 0

    def run(self) -> Tally:
        """Listen until the window's end.

        Raises:
            ServiceUnavailable: the host cannot be reached, or falls silent.
            FirehoseError: it no longer has the hour.
        """
        failures = 0
        while self._after < _AFTER and not self._stop.is_set():
            before = self._latest_us
            try:
                with self._connected() as connection:
                    self._listen(connection)
            except (OSError, TimeoutError, ConnectionClosed, InvalidHandshake, InvalidURI, Ended) as error:
                failures = failures + 1 if self._latest_us == before else 1
                why = redacted(" ".join(f"{type(error).__name__}: {error}".split()))[:200]
                log.info("disconnected", host=self._host.name, reason=why)
                if failures == _ATTEMPTS:
                    raise ServiceUnavailable(self._unreachable(why)) from None
                self._sleep(0.5 * failures)
        return self.tally

    def _connected(self) -> ClientConnection:
        cursor = max(self._window.first_us, min(self._last_us, default=0) - _REWIND_US)
        parts = urlsplit(self._host.url)
        given = parse_qsl(parts.query, keep_blank_values=True)
        query = [(name, value) for name, value in given if name not in _NOT_ASKED]
        scheme = _SCHEMES.get(parts.scheme, parts.scheme)
        url = urlunsplit(parts._replace(scheme=scheme, query=urlencode([*query, ("cursor", str(cursor))])))
        return connect(url, max_size=_MAX_MESSAGE, compression=None, open_timeout=10, close_timeout=0.5)

    def _listen(self, connection: ClientConnection) -> None:
        while self._after < _AFTER and not self._stop.is_set():
            message = connection.recv(timeout=self._silence_s, decode=False)
            try:
                seen = self._read(message)
            except Unreadable:
                self.tally.unreadable += 1
                continue
            if seen is None:
                continue
            if not self._latest_us:
                self._check_begin(seen.time_us)
            self._after = self._after + 1 if seen.time_us >= self._window.last_us else 0
            self._latest_us = max(self._latest_us, min(seen.time_us, self._window.last_us))
            self._last_us.append(seen.time_us)
            if seen.operation != ONLY_V2 or self._also_v2:
                key = (seen.type, seen.operation)
                self.tally.add(key, seen.identity, seen.time_us, expected=not seen.resync)

    def _check_begin(self, first_us: int) -> None:
        if first_us > self._window.from_us:
            raise FirehoseError(
                f"{self._host.name} no longer has the hour: its first event is from {_text(first_us)}; "
                "hosts keep about a day"
            )

    def _unreachable(self, why: str) -> str:
        if not self._latest_us:
            return f"{self._host.name} sends no events ({why}); check the URL, or try again"
        return f"{self._host.name} stopped at {_text(self._latest_us)} ({why}); try again"


def _text(time_us: int) -> str:
    return f"{datetime.fromtimestamp(time_us / 1e6, UTC):%Y-%m-%dT%H:%M:%SZ}"
