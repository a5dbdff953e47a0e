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
from pathlib import Path
from typing import Final

#: Both below the range that the kernel gives to outgoing connections: a server that is down keeps its port.
_PORTS: Final = (20_000, 32_000)
_locks: list[int] = []


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
