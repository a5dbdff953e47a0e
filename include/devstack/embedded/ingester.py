"""Runs the ingester as a child process with given settings, for ``once`` and the benchmarks.

Lives here: starting it, and stopping it so that it flushes. Must not: anything that the ingester does itself.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

from devstack.embedded.leash import PYTHON, ending_with_us
from firehose.errors import ServiceUnavailable
from firehose.settings import Settings
from ingester.contract.settings import PREFIX, IngesterSettings


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
