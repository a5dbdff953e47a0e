"""Runs the simulator as a child process, for tests, benchmarks and ``firehose once``.

Lives here: starting, waiting until it listens, stopping. Must not: the server itself.
"""

from __future__ import annotations

import http.client
import json
import os
import selectors
import subprocess
import sys
import time
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from jetstream_simulator.errors import SimulatorError

_READY = "listening on "


class SimulatorProcess:
    """A running simulator. ``url`` ends in ``/subscribe``; leaving the context stops it."""

    def __init__(self, process: subprocess.Popen[str], url: str) -> None:
        self.process = process
        self.url = url

    @property
    def events_url(self) -> str:
        """Where v2's ``subscribeEvents`` is."""
        return self.url.removesuffix("/subscribe") + "/xrpc/network.bsky.jetstream.subscribeEvents"

    @property
    def http_url(self) -> str:
        """Where v2's calls are: ``/xrpc/…`` follows."""
        return "http://" + self.url.removeprefix("ws://").removesuffix("/subscribe")

    def health(self) -> dict[str, Any]:
        """What ``/health`` says: ``events`` so far, ``done``, ``clients`` and how far behind they are.

        Raises:
            SimulatorError: it does not answer.
        """
        address = self.url.removeprefix("ws://").removesuffix("/subscribe")
        connection = http.client.HTTPConnection(address, timeout=10)
        try:
            connection.request("GET", "/health")
            state: dict[str, Any] = json.load(connection.getresponse())
        except (OSError, http.client.HTTPException, ValueError) as error:
            said = f"simulator: no answer from {address}/health ({error}); is it running?"
            raise SimulatorError(said) from error
        finally:
            connection.close()
        return state

    def stop(self, timeout_s: float = 10.0) -> int:
        """SIGTERM, wait, and as a last resort SIGKILL. Returns the exit code; a second call is harmless."""
        self.process.terminate()
        try:
            code = self.process.wait(timeout_s)
        except subprocess.TimeoutExpired:
            self.process.kill()
            code = self.process.wait()
        _close(self.process)
        return code

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.stop()


def start(args: list[str], *, log: Path | None = None, timeout_s: float = 30.0) -> SimulatorProcess:
    """Start ``python -m jetstream_simulator`` with ``args`` (``--port 0`` unless they name one) and wait
    until it listens. What it writes to standard error goes to ``log``, or to ours.

    Raises:
        SimulatorError: it ended, or did not listen in time.
    """
    if "--port" not in args:
        args = [*args, "--port", "0"]
    with log.open("ab") if log is not None else open(os.dup(2), "wb") as errors:  # noqa: PTH123 - a descriptor
        process = subprocess.Popen(
            [sys.executable, "-P", "-m", "jetstream_simulator", "--end-with-input", *args],
            stdout=subprocess.PIPE,
            stderr=errors,
            stdin=subprocess.PIPE,  # closed by the kernel when this process ends, however it does
            text=True,
        )
    return _await_ready(process, time.monotonic() + timeout_s)


def _await_ready(process: subprocess.Popen[str], deadline: float) -> SimulatorProcess:
    # A read with a deadline: a simulator that hangs at start must not hang its caller.
    assert process.stdout is not None  # noqa: S101 - for mypy: it was started with a pipe
    with selectors.DefaultSelector() as selector:
        selector.register(process.stdout, selectors.EVENT_READ)
        ready = selector.select(max(0.0, deadline - time.monotonic()))
    line = process.stdout.readline() if ready else ""
    if line.startswith(_READY):
        return SimulatorProcess(process, line.removeprefix(_READY).strip())
    process.kill()
    code = process.wait()
    _close(process)
    why = f"it ended with exit code {code}" if ready else "it did not listen in time"
    raise SimulatorError(f"simulator: {why}; see what it wrote to standard error")


def _close(process: subprocess.Popen[str]) -> None:
    for stream in (process.stdin, process.stdout):
        if stream is not None:
            stream.close()
