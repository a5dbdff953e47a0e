"""Stands between source and ingester, and fails as networks and hosts do: cuts, refuses, is silent, sends rubbish.

Lives here: a TCP relay that knows where a websocket's frames end. Must not: know what is in them.
"""

from __future__ import annotations

import socket
import threading
from contextlib import suppress
from typing import Final

_HEAD_ENDS: Final = b"\r\n\r\n"
_TEXT: Final = 0x81
_PIECE: Final = 1 << 18


class Relay:
    """Passes everything on to ``target`` until told otherwise. ``inserted``: rubbish that was sent."""

    def __init__(self, target: int) -> None:
        self.inserted: list[bytes] = []
        self._target = target
        self._refuses = False
        self._passes = threading.Event()
        self._passes.set()
        self._waiting: list[bytes] = []
        self._open: set[socket.socket] = set()
        self._listener = socket.create_server(("127.0.0.1", 0))
        threading.Thread(target=self._accept, name="relay", daemon=True).start()

    @property
    def port(self) -> int:
        """Where the ingester connects to."""
        return int(self._listener.getsockname()[1])

    def cut(self) -> None:
        """End every connection; a new one is let through."""
        for end in list(self._open):
            _shut(end)

    def refuse(self, refuses: bool) -> None:
        """Whether new connections are ended at once; those that are open end now."""
        self._refuses = refuses
        if refuses:
            self.cut()

    def silence(self, silent: bool) -> None:
        """Whether nothing is passed on, and nobody is told."""
        (self._passes.clear if silent else self._passes.set)()

    def insert(self, messages: list[bytes]) -> None:
        """Send these between two messages of the source."""
        self._waiting += messages

    def close(self) -> None:
        """Listen no more, and end what is open."""
        _shut(self._listener)
        self._listener.close()
        self._passes.set()
        self.cut()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                threading.Thread(target=self._connect, args=(client,), daemon=True).start()

    def _connect(self, client: socket.socket) -> None:
        if self._refuses:
            client.close()
            return
        with suppress(OSError), client, socket.create_connection(("127.0.0.1", self._target)) as target:
            ends = {client, target}
            self._open |= ends
            threading.Thread(target=self._upstream, args=(client, target), daemon=True).start()
            self._downstream(target, client)
            _shut(client)
            _shut(target)
            self._open -= ends

    def _upstream(self, client: socket.socket, target: socket.socket) -> None:
        with suppress(OSError):
            while data := client.recv(_PIECE):
                self._passes.wait()
                target.sendall(data)
        _shut(target)

    def _downstream(self, target: socket.socket, client: socket.socket) -> None:
        """Pass on the answer to the handshake, then whole frames only, so that others fit between them."""
        with suppress(OSError):
            held, begun = b"", False
            while data := target.recv(_PIECE):
                self._passes.wait()
                held += data
                end = whole_frames(held) if begun else held.find(_HEAD_ENDS) + len(_HEAD_ENDS)
                if not begun and end < len(_HEAD_ENDS):
                    continue
                client.sendall(held[:end] + (self._rubbish() if begun else b""))
                held, begun = held[end:], True

    def _rubbish(self) -> bytes:
        messages, self._waiting = self._waiting, []
        self.inserted += messages
        return b"".join(map(text_frame, messages))


def whole_frames(data: bytes) -> int:
    """Where the last whole frame of a server ends: it masks nothing."""
    at = 0
    while len(data) >= at + 2:
        length, head = data[at + 1] & 0x7F, 2
        if length > 125:  # the length is in the next two, or eight, bytes
            size = 2 if length == 126 else 8
            if len(data) < at + 2 + size:
                break
            length, head = int.from_bytes(data[at + 2 : at + 2 + size], "big"), 2 + size
        if len(data) < at + head + length:
            break
        at += head + length
    return at


def text_frame(message: bytes) -> bytes:
    """A message as a server's frame."""
    size = len(message)
    if size <= 125:
        return bytes([_TEXT, size]) + message
    return bytes([_TEXT, 126]) + size.to_bytes(2, "big") + message


def _shut(end: socket.socket) -> None:
    with suppress(OSError):
        end.shutdown(socket.SHUT_RDWR)
