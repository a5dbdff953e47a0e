"""Runs the ingester as a child process with given settings, for ``once`` and the benchmarks.

Lives here: starting it, waiting for its events, and stopping it so that it flushes. Must not: anything that the
ingester does itself.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

import redis

from devstack.embedded.leash import PYTHON, ending_with_us
from firehose.errors import ServiceUnavailable
from firehose.settings import Settings
from ingester.contract import wire
from ingester.contract.settings import PREFIX, IngesterSettings

#: A source is finite or steady: an ingester without progress for this long (seconds) has a problem.
_STALL_S: Final = 60.0


@contextmanager
def ingester_process(settings: Settings) -> Iterator[subprocess.Popen[bytes]]:
    """An ingester as a child process; stopped by SIGTERM, so that it flushes."""
    environ = {key: value for key, value in os.environ.items() if not key.startswith(PREFIX)}
    environ |= {
        f"{PREFIX}{name.upper()}": str(getattr(settings, name)) for name in IngesterSettings.__struct_fields__
    }
    process = subprocess.Popen(
        ending_with_us([*PYTHON, "ingester"]),
        env=environ,
        stdin=subprocess.DEVNULL,
        stdout=sys.stderr,
    )
    try:
        yield process
        process.send_signal(signal.SIGTERM)
        if process.wait(timeout=30) != 0:
            raise ServiceUnavailable(f"the ingester did not stop cleanly: exit code {process.returncode}")
    finally:
        process.kill()
        process.wait()


def wait_for_events(client: redis.Redis, wanted: int, process: subprocess.Popen[bytes]) -> int:
    """Poll Redis until the ingester has written ``wanted`` events in all; returns how many there are then.

    Raises:
        ServiceUnavailable: the ingester ended, or writes nothing more.
    """
    since, seen = time.monotonic(), -1
    while (found := int(client.hget(wire.METADATA_KEY, wire.META_EVENTS) or 0)) < wanted:
        if process.poll() is not None:
            raise ServiceUnavailable(
                f"the ingester stopped with exit code {process.returncode}; see its log above"
            )
        if found != seen:
            since, seen = time.monotonic(), found
        elif time.monotonic() - since > _STALL_S:
            raise ServiceUnavailable(f"the ingester has written {seen} of {wanted} events and makes no progress")
        time.sleep(0.005)
    return found
