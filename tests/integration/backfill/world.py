"""What the tests of backfills share: the tape, a proxy that spoils an archive's answers, gaps, Redis' contents.

Lives here: helpers. Must not: fixtures (conftest), tests.
"""

from __future__ import annotations

import contextlib
import http.client
import os
import subprocess
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import TracebackType
from typing import Any, Self, cast

import msgspec
import redis
import zstandard
from websockets.sync.client import connect

from firehose.settings import Settings
from ingester.contract import wire
from ingester.contract.gap import Gap, Reason
from jetstream_simulator import generate, process
from tests.support.command import FIREHOSE, run

SEALED, UNSEALED = 3000, 30
LINES = list(generate.events(SEALED + UNSEALED, seed=41))
#: Of each line, in µs.
TIMES = [msgspec.json.decode(line)["time_us"] for line in LINES]
FIRST, LAST = 700, 2300
NOTED_US = 1_790_000_000_000_000
Spoil = Callable[[str, bytes], bytes]


@contextlib.contextmanager
def serving(tape: Path, *sizes: str) -> Iterator[process.SimulatorProcess]:
    """A v2 host whose archive is this file of LINES; ``sizes`` are options of the simulator."""
    with process.start(["--replay", str(tape), "--v2-host", *sizes]) as running:
        with connect(running.events_url, max_size=2**25, close_timeout=0.2) as client:
            for _ in LINES:
                client.recv(timeout=20)
        yield running


class Proxy:
    """Passes calls on to a host; ``spoil`` gets the path and the body of each answer and returns another body.

    Without ``ask`` the host is left alone, and every call is answered by ``spoil``.
    """

    def __init__(self, upstream: str, spoil: Spoil, *, ask: bool = True) -> None:
        self.paths: list[str] = []
        proxy, host = self, upstream.removeprefix("http://")

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                proxy.paths.append(self.path)
                length = int(self.headers.get("Content-Length") or 0)
                status, body = self._ask(self.rfile.read(length)) if ask else (200, b"")
                body = spoil(self.path, body)
                with contextlib.suppress(OSError):  # a client that would not wait
                    self.send_response(status)
                    self.send_header("Content-Length", str(len(body)))
                    self.end_headers()
                    self.wfile.write(body)

            def _ask(self, given: bytes) -> tuple[int, bytes]:
                connection = http.client.HTTPConnection(host, timeout=20)
                connection.request(self.command, self.path, given or None)
                with contextlib.closing(connection):
                    response = connection.getresponse()
                    return response.status, response.read()

            do_POST = do_GET

            def log_message(self, format: str, *args: Any) -> None:
                return

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


def gap(first: int = FIRST, last: int = LAST, **fields: Any) -> Gap:
    """The gap of the lines from ``first`` to ``last`` (exclusive)."""
    given: dict[str, Any] = {"id": f"late/{first}", "reason": Reason.LATE, "noted_us": NOTED_US} | fields
    return Gap(from_us=TIMES[first], to_us=TIMES[last], **given)


def note(client: redis.Redis, one: Gap) -> None:
    """Write a gap's record into Redis, as the ingester does."""
    client.xadd(wire.COVERAGE_KEY, {wire.FIELD_GAP: msgspec.json.encode(one)})


def noted(client: redis.Redis) -> list[Gap]:
    """The records of gaps in Redis, in order."""
    entries = cast(list[tuple[bytes, dict[bytes, bytes]]], client.xrange(wire.COVERAGE_KEY))
    return [msgspec.json.decode(fields[wire.FIELD_GAP], type=Gap) for _, fields in entries]


def queued(client: redis.Redis) -> dict[str, list[dict[str, Any]]]:
    """The events in Redis by queue, in order; every frame is what its entry says."""
    found: dict[str, list[dict[str, Any]]] = {}
    for queue in wire.QUEUES:
        entries = cast(list[tuple[bytes, dict[bytes, bytes]]], client.xrange(wire.stream_key(queue)))
        for _, fields in entries:
            lines = (
                zstandard.ZstdDecompressor().decompressobj().decompress(fields[wire.FIELD_PAYLOAD]).splitlines()
            )
            events = [msgspec.json.decode(line) for line in lines]
            ends = int(fields[wire.FIELD_FIRST_US]), int(fields[wire.FIELD_LAST_US])
            assert (len(events), events[0]["time_us"], events[-1]["time_us"]) == (
                int(fields[wire.FIELD_COUNT]),
                *ends,
            )
            found.setdefault(queue, []).extend(events)
    return found


def sent(first: int = FIRST, last: int = LAST) -> dict[str, list[dict[str, Any]]]:
    """What the stream had of those lines, by queue."""
    found: dict[str, list[dict[str, Any]]] = {}
    for line in LINES[first:last]:
        event = msgspec.json.decode(line)
        queue = wire.KIND_QUEUES.get(event["kind"])
        queue = queue or wire.COLLECTION_QUEUES.get(event["commit"]["collection"], wire.OTHER)
        found.setdefault(queue, []).append(event)
    return found


def command(settings: Settings, *arguments: str) -> tuple[list[str], dict[str, str]]:
    """Command line and environment of ``firehose …`` with these settings and no others.

    A backfill has no margin here, so that a test sees which events it brings: the whole tape is some seconds long.
    """
    if arguments[0] in ("backfill", "heal") and "--margin" not in arguments:
        arguments += ("--margin", "0")
    kept = ["home", "lake", "redis_url", "archive_url", "jetstream_url", "wanted_collections"]
    kept += ["archive_key", "archive_key_file"]
    environment = {key: value for key, value in os.environ.items() if not key.startswith("FIREHOSE_")}
    environment |= {f"FIREHOSE_{name.upper()}": str(getattr(settings, name)) for name in kept}
    return [FIREHOSE, *arguments], environment


def firehose(settings: Settings, *arguments: str) -> subprocess.CompletedProcess[str]:
    """``firehose …`` with these settings."""
    (_, *given), environment = command(settings, *arguments)
    return run(given, environment)
