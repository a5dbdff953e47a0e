"""What the ingester's fault tests share: a Jetstream to misbehave, the ingester as a process, Redis' contents.

Lives here: helpers without assertions of their own. Must not: fixtures (conftest), tests.
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Self
from urllib.parse import parse_qs, urlsplit

import msgspec
import redis
import zstandard
from websockets.exceptions import ConnectionClosed
from websockets.http11 import Request, Response
from websockets.sync.server import Server, ServerConnection, serve

from ingester.contract import wire
from ingester.contract.gap import Gap
from tests.support.waiting import until

COLLECTIONS = (*wire.COLLECTION_QUEUES, "app.bsky.actor.profile")
#: A host that is not there.
NOWHERE = "ws://127.0.0.1:1/subscribe"
Query = Mapping[str, list[str]]


def event(number: int, size: int = 100) -> bytes:
    """The ``number``-th event of a stream, one a millisecond, over all queues in turn."""
    head: dict[str, object] = {"did": f"did:plc:{number:024d}", "time_us": time_us(number)}
    if kind := {6: "identity", 7: "account"}.get(number % 8):
        return msgspec.json.encode(head | {"kind": kind, kind: {"seq": number}})
    commit = {
        "rev": f"r{number}",
        "operation": "create",
        "collection": COLLECTIONS[number % 8],
        "rkey": f"k{number}",
    }
    record = {"text": f"«{number}» " + "x" * size}
    return msgspec.json.encode(head | {"kind": "commit", "commit": commit | {"record": record, "cid": "b"}})


def first_events(count: int) -> list[bytes]:
    """The stream's first events."""
    return [event(number) for number in range(count)]


def time_us(number: int) -> int:
    """The cursor of the ``number``-th event."""
    return 1_700_000_000_000_000 + 1000 * number


class Source:
    """A websocket server with Jetstream's cursor.

    ``messages`` may grow; ``connections`` holds the query of each, ``sent`` counts what went out over all.
    ``pace_s`` is the pause after every 100 messages. ``behave`` replaces what it does with a connection, and
    ``answer`` may refuse a handshake.
    """

    def __init__(
        self,
        messages: list[bytes],
        *,
        pace_s: float = 0.0,
        behave: Callable[[ServerConnection, Query], None] | None = None,
        answer: Callable[[ServerConnection, Request], Response | None] | None = None,
    ) -> None:
        self.messages = messages
        self.connections: list[Query] = []
        self.pace_s = pace_s
        self.sent = 0
        self._behave = behave or self.send_from_cursor
        self._closing = threading.Event()
        self._server: Server = serve(
            self._handle,
            "127.0.0.1",
            0,
            compression=None,
            process_request=answer,
            ping_interval=None,
            close_timeout=0.2,
        )
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)
        self._thread.start()

    @property
    def url(self) -> str:
        """Its address, as ``FIREHOSE_JETSTREAM_URL`` takes it."""
        return f"ws://127.0.0.1:{self._server.socket.getsockname()[1]}/subscribe"

    @property
    def name(self) -> str:
        """The host as the ingester records it."""
        return self.url.split("/")[2]

    def send_from_cursor(self, connection: ServerConnection, query: Query) -> None:
        """Send every message from the cursor on, then those that are added."""
        cursor = int(query.get("cursor", ["0"])[0])
        sent = max(0, min(len(self.messages), -(-(cursor - time_us(0)) // 1000)))
        while not self._closing.is_set():
            part = self.messages[sent : sent + 100]
            for message in part:
                connection.send(message, text=not message.startswith(b"\x28\xb5\x2f\xfd"))
                self.sent += 1
            sent += len(part)
            self._closing.wait(self.pace_s if part else 0.02)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._closing.set()
        self._server.shutdown()
        self._thread.join()

    def _handle(self, connection: ServerConnection) -> None:
        request = connection.request
        query = parse_qs(urlsplit(request.path if request else "").query)
        self.connections.append(query)
        with contextlib.suppress(ConnectionClosed):  # the client was killed: what many of these tests do
            self._behave(connection, query)


class IngesterProcess:
    """``python -m ingester`` as a child process, its log in ``log``."""

    def __init__(self, folder: Path, redis_url: str, source_url: str, **settings: object) -> None:
        self.log = folder / f"ingester-{time.monotonic_ns()}.log"
        given = {
            "home": folder,
            "lake": folder / "lake",
            "redis_url": redis_url,
            "jetstream_url": source_url,
            "rewind_ms": 20,
        }
        given |= {"backoff_max_s": 0.5, "flush_ms": 30, "flush_events": 300, "frame_events": 50, **settings}
        self.environment = {k: v for k, v in os.environ.items() if not k.startswith("FIREHOSE_")}
        self.environment |= {f"FIREHOSE_{name.upper()}": str(value) for name, value in given.items()}
        self.process: subprocess.Popen[bytes] | None = None

    def start(self, **environment: str) -> Self:
        """Start it; it need not have connected when this returns."""
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "ingester"],
                env=self.environment | environment,
                stderr=log,
                stdout=log,
                cwd=Path(__file__).parents[2],
            )
        return self

    def kill(self) -> None:
        """As a power failure would."""
        assert self.process is not None
        self.process.kill()
        self.process.wait()

    def stop(self, timeout_s: float = 20.0) -> int:
        """SIGTERM; returns the exit code."""
        assert self.process is not None
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(timeout_s)

    def ended(self, timeout_s: float = 20.0) -> int:
        """Wait until it ends by itself; returns the exit code."""
        assert self.process is not None
        return self.process.wait(timeout_s)

    def said(self, text: str) -> bool:
        """Whether its log contains ``text``."""
        return text in self.log.read_text()

    def __enter__(self) -> Self:
        return self if self.process else self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.kill()
        if error is not None:
            sys.stderr.write(self.log.read_text())


#: Makes an ingester for a source's URL, with these settings, on the test's Redis and folder (see conftest).
Ingest = Callable[..., IngesterProcess]


def entries(client: redis.Redis, queue: str) -> list[dict[bytes, bytes]]:
    """The fields of each entry of a queue's stream."""
    answer: Any = client.xrange(wire.stream_key(queue))
    return [fields for _, fields in answer]


def stored(client: redis.Redis, queue: str | None = None) -> list[bytes]:
    """Every line in Redis, of one queue or of all, in the order of each stream."""
    lines: list[bytes] = []
    for fields in (fields for name in ([queue] if queue else wire.QUEUES) for fields in entries(client, name)):
        part = zstandard.ZstdDecompressor().decompress(fields[wire.FIELD_PAYLOAD]).removesuffix(b"\n").split(b"\n")
        assert len(part) == int(fields[wire.FIELD_COUNT])
        lines += part
    return lines


def gaps(client: redis.Redis) -> list[Gap]:
    """Every record of a gap, in the order in which they were written."""
    answer: Any = client.xrange(wire.COVERAGE_KEY)
    return [msgspec.json.decode(fields[wire.FIELD_GAP], type=Gap) for _, fields in answer]


def known(client: redis.Redis) -> list[Gap]:
    """Each gap as its last record says, in the order of time."""
    last = {gap.id: gap for gap in sorted(gaps(client), key=lambda gap: gap.noted_us)}
    return sorted(last.values(), key=lambda gap: (gap.from_us, gap.to_us))


def missing(client: redis.Redis) -> set[int]:
    """The numbers of the harness' first events that lie in gaps which are not filled, both ends left out."""
    spans = [gap for gap in known(client) if not gap.filled]
    return {n for n in range(1000) if any(gap.from_us < time_us(n) < gap.to_us for gap in spans)}


def metadata(client: redis.Redis) -> dict[str, str]:
    """The writer's state as text."""
    answer: Any = client.hgetall(wire.METADATA_KEY)
    return {key.decode(): value.decode() for key, value in answer.items()}


def cursor(client: redis.Redis) -> int:
    """The stored cursor; 0: none."""
    return int(metadata(client).get(wire.META_CURSOR, 0))


def until_stored(client: redis.Redis, number: int, timeout_s: float = 20.0) -> None:
    """Return as soon as the ``number``-th event is the last one in Redis."""
    until(lambda: cursor(client) == time_us(number), timeout_s)


def letters(client: redis.Redis) -> list[dict[str, Any]]:
    """The dead letters in Redis."""
    lines = stored(client, wire.OTHER)
    return [msgspec.json.decode(line) for line in lines if wire.DEAD_LETTER_KIND.encode() in line]


def ordered(line: bytes) -> bytes:
    """An event in one order of keys, as v1 and v2 agree on it."""
    return msgspec.json.encode(msgspec.json.decode(line), order="sorted")


def clock_us(client: redis.Redis) -> int:
    """Redis' clock."""
    seconds, micros = client.time()
    return int(seconds) * 1_000_000 + int(micros)
