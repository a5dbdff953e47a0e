"""Tells systemd how the service is (sd_notify); a no-op where ``NOTIFY_SOCKET`` is not set."""

from __future__ import annotations

import socket
import time
from collections.abc import Callable, Mapping
from typing import Final

from ingester.contract.logs import get_logger

log = get_logger(__name__)

#: Until the service is ready, each sign of progress moves systemd's start timeout this far (µs): a standby may
#: wait for days.
EXTEND_US: Final = 90_000_000
#: The watchdog is fed at most this often (seconds).
INTERVAL_S: Final = 1.0


class Notifier:
    """The service's line to systemd. Liveness means progress: :meth:`progress` is never called on a timer."""

    def __init__(self, environ: Mapping[str, str], clock: Callable[[], float] = time.monotonic) -> None:
        name = environ.get("NOTIFY_SOCKET", "")
        self._address = "\0" + name[1:] if name.startswith("@") else name
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) if name else None
        self._clock = clock
        self._ready = False
        self._last = -INTERVAL_S

    def ready(self, status: str) -> None:
        """Claimed and connected. From the second time on only the status changes."""
        self._send(f"STATUS={status}" if self._ready else f"READY=1\nSTATUS={status}")
        self._ready = True

    def progress(self) -> None:
        """Something was done: a flush, or an attempt that failed and was dealt with."""
        now = self._clock()
        if now - self._last >= INTERVAL_S:
            self._last = now
            self._send("WATCHDOG=1" if self._ready else f"EXTEND_TIMEOUT_USEC={EXTEND_US}")

    def status(self, text: str) -> None:
        """One line for ``systemctl status``."""
        self._send(f"STATUS={text}")

    def stopping(self) -> None:
        """The service has begun to stop."""
        self._send("STOPPING=1\nSTATUS=stopping")

    def _send(self, message: str) -> None:
        if self._socket is None:
            return
        try:
            self._socket.sendto(message.encode(), socket.MSG_DONTWAIT, self._address)
        except OSError as error:  # systemd restarting must not stop the stream
            log.warning("notify_failed", error=error)
