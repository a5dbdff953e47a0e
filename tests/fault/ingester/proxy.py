"""A TCP proxy on loopback that fails as a network does: requests that never arrive, a side that hears nothing.

Lives here: the proxy. Must not: know Redis or websockets.
"""

from __future__ import annotations

import socket
import threading
from contextlib import suppress
from types import TracebackType
from typing import Self


class Proxy:
    """Passes bytes on to ``port`` until told otherwise. A context manager.

    ``refused`` counts the requests that were cut off on the way, ``swallowed`` the pieces that were not passed on.
    """

    def __init__(self, port: int) -> None:
        self.refused = self.swallowed = 0
        self._target = port
        self._marks: tuple[bytes, ...] = ()
        self._silent = False
        self._listener = socket.create_server(("127.0.0.1", 0))
        threading.Thread(target=self._accept, daemon=True).start()

    @property
    def port(self) -> int:
        """Where to connect to."""
        return int(self._listener.getsockname()[1])

    def refuse(self, *marks: bytes) -> None:
        """From now on a request with any of these bytes ends its connection before it arrives. None: no more."""
        self._marks = marks

    def silence(self) -> None:
        """From now on the target hears nothing, and nobody is told."""
        self._silent = True

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._listener.close()

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            try:
                target = socket.create_connection(("127.0.0.1", self._target))
            except OSError:
                client.close()
                continue
            threading.Thread(target=self._requests, args=(client, target), daemon=True).start()
            threading.Thread(target=_pass, args=(target, client), daemon=True).start()

    def _requests(self, client: socket.socket, target: socket.socket) -> None:
        with suppress(OSError):
            while data := client.recv(1 << 20):
                if any(mark in data for mark in self._marks):
                    self.refused += 1
                    break
                if self._silent:
                    self.swallowed += 1
                else:
                    target.sendall(data)
        _close(client, target)


def _pass(source: socket.socket, sink: socket.socket) -> None:
    with suppress(OSError):
        while data := source.recv(1 << 20):
            sink.sendall(data)
    _close(source, sink)


def _close(*ends: socket.socket) -> None:
    for end in ends:
        with suppress(OSError):
            end.shutdown(socket.SHUT_RDWR)
