"""TCP ports that a server keeps while it is down, and waiting for what processes do.

Lives here: what everything that runs in a schedule shares. Must not: start anything.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import random
import socket
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final

#: Both below the range that the kernel gives to outgoing connections: a server that is down keeps its port.
_PORTS: Final = (20_000, 32_000)
_locks: list[int] = []


def until(condition: Callable[[], object], what: str, timeout_s: float = 60.0) -> None:
    """Return as soon as ``condition()`` holds; fail if it does not in time, which is long: machines are shared."""
    deadline = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < deadline, f"not within {timeout_s:g} s: {what}"
        time.sleep(0.01)


def port() -> int:
    """A TCP port on loopback that nothing listens on, that no client will be given, and no other schedule takes.

    It is taken until :func:`release`.
    """
    while True:
        candidate = random.SystemRandom().randrange(*_PORTS)
        # Of this user alone: another one's folder cannot be written to.
        folder = Path(tempfile.gettempdir()) / f"soak-ports-{os.getuid()}"
        folder.mkdir(exist_ok=True)
        lock = os.open(folder / str(candidate), os.O_CREAT | os.O_RDWR, 0o666)
        with socket.socket() as probe, contextlib.suppress(OSError):
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            probe.bind(("127.0.0.1", candidate))
            _locks.append(lock)
            return candidate
        os.close(lock)


def release() -> None:
    """Give all ports back."""
    while _locks:
        os.close(_locks.pop())
