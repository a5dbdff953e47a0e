"""Attacks on the embedded endpoint, as fast as they go or with pauses, for `firehose bench hostile`.

Each attack is a function that does one round. A process runs them in threads until it is stopped, and counts
rounds. Must not: measure.
"""

from __future__ import annotations

import contextlib
import http.client
import multiprocessing
import os
import socket
import threading
import time
import zlib
from base64 import b64encode
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from multiprocessing.sharedctypes import Synchronized
from typing import Final, NamedTuple, Protocol
from urllib.parse import urlsplit

import lz4.frame  # type: ignore[import-untyped]  # it has neither stubs nor py.typed
from backports import zstd

_MIB: Final = 1024 * 1024
READERS: Final = 64
#: Threads for each attack; a reader that does not read needs one of its own.
THREADS: Final = {
    **dict.fromkeys(("zstd bombs", "gzip bombs", "lz4 bombs", "deflate bombs", "endless uploads"), 2),
    **dict.fromkeys(("endless headers", "unfinished headers", "held results", "greedy queries"), 2),
    "wrong passwords": 8,
    "unread results": READERS,
}
_UNREAD: Final = "SELECT number, repeat('unread', 100) FROM system.numbers"
_HELD: Final = "SELECT repeat('x', 1000) FROM system.numbers"
_GREEDY: Final = "SELECT length(groupArray(number)) FROM numbers(1000000000)"


class Target(NamedTuple):
    """Where to, and as whom: the analyst. An attacker waits at most ``patience_s`` for an answer, and ``pause_s``
    between two rounds.
    """

    url: str
    user: str
    password: str
    patience_s: float
    pause_s: float


@contextmanager
def under_attack(
    target: Target, bomb_mib: int, threads: Mapping[str, int]
) -> Iterator[Callable[[], dict[str, int]]]:
    """Attack from a process of its own while in this context; what it gives tells the rounds so far, by attack.

    A bomb decompresses to ``bomb_mib``. ``threads`` are as in :data:`THREADS`; attacks that it does not name are
    left out.
    """
    context = multiprocessing.get_context("spawn")
    rounds = {name: context.Value("q", 0) for name in threads}
    process = context.Process(target=_run, args=(target, bomb_mib, dict(threads), rounds), daemon=True)
    process.start()
    try:
        yield lambda: {name: count.value for name, count in rounds.items()}
    finally:
        process.terminate()
        process.join()


def _run(target: Target, bomb_mib: int, threads: dict[str, int], rounds: dict[str, Synchronized[int]]) -> None:
    # Attackers bring processors of their own; here they share those of what they attack and of what is measured.
    os.nice(10)
    attacks = _attacks(target, bomb_mib)
    for name in rounds:
        for _ in range(threads[name]):
            threading.Thread(
                target=_repeat, args=(attacks[name], rounds[name], target.pause_s), daemon=True
            ).start()
    threading.Event().wait()


def _repeat(attack: Callable[[], None], rounds: Synchronized[int], pause_s: float) -> None:
    while True:
        with contextlib.suppress(OSError, http.client.HTTPException):  # cut off, as it should be
            attack()
        with rounds.get_lock():
            rounds.value += 1
        time.sleep(pause_s)


def _attacks(target: Target, bomb_mib: int) -> dict[str, Callable[[], None]]:
    packers: dict[str, _Packer] = {
        "zstd": zstd.ZstdCompressor(level=19),
        "gzip": zlib.compressobj(9, zlib.DEFLATED, 31),
        "lz4": _Lz4(),
        "deflate": zlib.compressobj(9),
    }
    bombs = {method: _bomb(packer, bomb_mib) for method, packer in packers.items()}
    return {
        **{
            f"{method} bombs": _posting(target, bomb, {"Content-Encoding": method})
            for method, bomb in bombs.items()
        },
        "endless uploads": lambda: _endless_upload(target),
        "endless headers": lambda: _endless_header(target),
        "unfinished headers": lambda: _unfinished_header(target),
        "held results": _posting(target, _HELD.encode(), {}, "&wait_end_of_query=1"),
        "greedy queries": _posting(target, _GREEDY.encode(), {}),
        "wrong passwords": _posting(target._replace(password="guessed"), b"SELECT 1", {}),  # noqa: S106 - wrong
        "unread results": lambda: _unread(target),
    }


class _Packer(Protocol):
    def compress(self, data: bytes, /) -> bytes: ...

    def flush(self) -> bytes: ...


class _Lz4:
    def __init__(self) -> None:
        self._frame = lz4.frame.LZ4FrameCompressor()
        self._head = bytes(self._frame.begin())

    def compress(self, data: bytes) -> bytes:
        head, self._head = self._head, b""
        return head + bytes(self._frame.compress(data))

    def flush(self) -> bytes:
        return bytes(self._frame.flush())


def _bomb(packer: _Packer, mib: int) -> bytes:
    zeros = bytes(_MIB)
    return b"".join(packer.compress(zeros) for _ in range(mib)) + packer.flush()


def _posting(target: Target, body: bytes, headers: dict[str, str], parameters: str = "") -> Callable[[], None]:
    login = b64encode(f"{target.user}:{target.password}".encode()).decode()

    def post() -> None:
        connection = http.client.HTTPConnection(urlsplit(target.url).netloc, timeout=target.patience_s)
        with contextlib.closing(connection):
            connection.request("POST", f"/?{parameters}", body, {**headers, "Authorization": f"Basic {login}"})
            connection.getresponse().read()

    return post


@contextmanager
def _connection(target: Target) -> Iterator[socket.socket]:
    parts = urlsplit(target.url)
    with socket.create_connection((parts.hostname or "", parts.port or 0), timeout=target.patience_s) as made:
        yield made


def _head(target: Target, rest: str) -> bytes:
    return f"POST /?user={target.user}&password={target.password} HTTP/1.1\r\nHost: localhost\r\n{rest}".encode()


def _endless_upload(target: Target) -> None:
    piece = b"%x\r\n%b\r\n" % (_MIB, b"x" * _MIB)
    with _connection(target) as made:
        made.sendall(_head(target, "Transfer-Encoding: chunked\r\n\r\n"))
        while True:
            made.sendall(piece)


def _endless_header(target: Target) -> None:
    with _connection(target) as made:
        made.sendall(b"GET /ping HTTP/1.1\r\nX: ")
        while True:
            made.sendall(b"x" * _MIB)


def _unfinished_header(target: Target) -> None:
    """As much as is taken, on as many connections as it takes."""
    with contextlib.ExitStack() as stack:
        for _ in range(50):
            made = stack.enter_context(_connection(target))
            made.sendall(b"GET /ping HTTP/1.1\r\nX: " + b"x" * (3 * _MIB))


def _unread(target: Target) -> None:
    """Until it is cut off."""
    with _connection(target) as made:
        made.sendall(_head(target, f"Content-Length: {len(_UNREAD)}\r\n\r\n{_UNREAD}"))
        made.settimeout(None)
        while not _is_closed(made):
            time.sleep(0.2)


def _is_closed(made: socket.socket) -> bool:
    """True if the other side has closed the connection: then writing fails. Nothing is read from it."""
    try:
        made.send(b"\r\n")
    except OSError:
        return True
    return False
