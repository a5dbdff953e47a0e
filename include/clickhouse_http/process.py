"""The endpoint as a child process, for tests, benchmarks and the commands that need it for a while.

Lives here: start, wait until it answers, stop, kill. Must not: restart it, or keep it running.
"""

from __future__ import annotations

import contextlib
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from clickhouse_http.config import EndpointConfig, to_json
from clickhouse_http.errors import CannotServe

Launcher = Callable[[list[str]], list[str]]
_START_TIMEOUT_S = 30.0
_STOP_TIMEOUT_S = 10.0
_POLL_S = 0.05
_PING_TIMEOUT_S = 1.0


class EndpointProcess:
    """A running endpoint."""

    def __init__(self, process: subprocess.Popen[bytes], url: str, log: Path) -> None:
        self.url = url
        self.log = log
        self._process = process

    @property
    def pid(self) -> int:
        """Process id of the endpoint."""
        return self._process.pid

    def stop(self, timeout_s: float = _STOP_TIMEOUT_S) -> int:
        """Ask it to stop and wait. Returns the exit code, which is 0 after a clean stop.

        Raises:
            CannotServe: it is still there after ``timeout_s`` seconds.
        """
        if self._process.poll() is None:
            self._process.send_signal(signal.SIGTERM)
        try:
            return self._process.wait(timeout_s)
        except subprocess.TimeoutExpired:
            raise CannotServe(
                f"the ClickHouse endpoint (pid {self.pid}) did not stop within {timeout_s:.0f} s; see {self.log}"
            ) from None

    def kill(self) -> None:
        """End it at once with SIGKILL, as a crash would."""
        self._process.kill()
        self._process.wait()

    def wait_ready(self, timeout_s: float = _START_TIMEOUT_S) -> None:
        """Return once ``/ping`` answers.

        Raises:
            CannotServe: it ended, or did not answer within ``timeout_s`` seconds.
        """
        deadline = time.monotonic() + timeout_s
        while not _answers(self.url):
            if self._process.poll() is not None:
                raise CannotServe(f"the ClickHouse endpoint ended at once: {self._last_line()}")
            if time.monotonic() > deadline:
                raise CannotServe(f"the ClickHouse endpoint at {self.url} does not answer; see {self.log}")
            time.sleep(_POLL_S)

    def _last_line(self) -> str:
        lines = self.log.read_text(errors="replace").strip().splitlines()
        return lines[-1] if lines else f"it said nothing in {self.log}"


@contextmanager
def start(config: EndpointConfig, log: Path, launcher: Launcher = list) -> Iterator[EndpointProcess]:
    """Run the endpoint as a child process, stopped on leaving; ``log`` receives what it says.

    ``launcher`` makes a command of one that ends with this process, however this one ends. Without it, an endpoint
    whose starter was killed goes on.

    Raises:
        EndpointError: it does not start; the message holds the reason that it gave.
    """
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("ab") as output:
        running = EndpointProcess(_spawn(config, output, launcher), config.url.rstrip("/"), log)
    try:
        running.wait_ready()
        yield running
    except BaseException:
        running.kill()
        raise
    running.stop()


def _spawn(config: EndpointConfig, output: IO[bytes], launcher: Launcher) -> subprocess.Popen[bytes]:
    """The configuration goes by standard input: a command line is readable by every user of the machine."""
    # A session of its own: Ctrl-C in the terminal reaches the parent, which stops it in its turn.
    process = subprocess.Popen(
        launcher([sys.executable, "-P", "-m", "clickhouse_http", "-"]),
        stdin=subprocess.PIPE,
        stdout=output,
        stderr=output,
        start_new_session=True,
    )
    assert process.stdin is not None  # noqa: S101 - for mypy: it was started with a pipe
    with contextlib.suppress(BrokenPipeError), process.stdin:  # it ended before it read; wait_ready says why
        process.stdin.write(to_json(config))
    return process


def _answers(url: str) -> bool:
    try:
        # S310: the address is a setting, checked by the endpoint to be http on this machine.
        with urllib.request.urlopen(f"{url}/ping", timeout=_PING_TIMEOUT_S) as response:  # noqa: S310
            return bool(response.read() == b"Ok.\n")
    except (urllib.error.URLError, OSError):
        return False
