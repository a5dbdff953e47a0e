"""Reports the state of the service to systemd (sd_notify); does nothing if ``NOTIFY_SOCKET`` is not set.

Lives here: the socket and the messages. Must not: decide when there is progress.
"""

from __future__ import annotations

import socket
import time
from collections.abc import Callable, Mapping
from typing import Final

from ingester.contract.logs import get_logger

log = get_logger(__name__)

#: Until the service is ready, each report of progress extends systemd's start timeout by this much (µs): a standby
#: may wait for days.
EXTEND_US: Final = 90_000_000
#: The watchdog is fed at most this often (seconds).
INTERVAL_S: Final = 1.0


class Notifier:
    """The connection to systemd. :meth:`progress` keeps the watchdog quiet, so it is never called on a timer."""

    def __init__(self, environ: Mapping[str, str], clock: Callable[[], float] = time.monotonic) -> None:
        name = environ.get("NOTIFY_SOCKET", "")
        self._address = "\0" + name[1:] if name.startswith("@") else name
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) if name else None
        self._clock = clock
        self._ready = False
        self._last = -INTERVAL_S

    def ready(self, status: str) -> None:
        """Report that the service is ready; later calls only change the status."""
        self._send(f"STATUS={status}" if self._ready else f"READY=1\nSTATUS={status}")
        self._ready = True

    def progress(self) -> None:
        """Report progress: a flush, or a failed attempt that was handled."""
        now = self._clock()
        if now - self._last >= INTERVAL_S:
            self._last = now
            self._send("WATCHDOG=1" if self._ready else f"EXTEND_TIMEOUT_USEC={EXTEND_US}")

    def status(self, text: str) -> None:
        """Set the line that ``systemctl status`` shows."""
        self._send(f"STATUS={text}")

    def stopping(self) -> None:
        """Report that the service has begun to stop."""
        self._send("STOPPING=1\nSTATUS=stopping")

    def _send(self, message: str) -> None:
        if self._socket is None:
            return
        try:
            self._socket.sendto(message.encode(), socket.MSG_DONTWAIT, self._address)
        except OSError as error:  # systemd restarting must not stop the stream
            log.warning("notify_failed", error=error)
