"""Steps of batches in forked processes, several at once: begin, kill, hold and await them.

Lives here: the requests to the driver and what became of them. Must not: say which outcome is right.
"""

from __future__ import annotations

import os
import resource
import selectors
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import msgspec

from firehose.batch.interval import Batch
from firehose.settings import Settings
from ingester.contract import crash

REPOSITORY = Path(__file__).parents[3]


class Request(msgspec.Struct):
    """Run ``step`` in a child whose crash points are armed by ``environ``; its error goes to the file ``outcome``.

    ``largest_file`` in bytes limits what it may write to one file; 0: no limit.
    """

    number: int
    settings: Settings
    step: str
    batch: Batch
    environ: dict[str, str]
    outcome: str
    largest_file: int = 0


class Outcome(msgspec.Struct, frozen=True):
    """The error that a step ended with, its errno and its traceback; nothing for success."""

    error: str = ""
    errno: int = 0
    trace: str = ""


class Run(msgspec.Struct):
    """A step under way or ended. ``code`` is the exit status once it has ended, ``proof`` a crash point's."""

    number: int
    step: str
    batch: Batch
    folder: Path
    pid: int = 0
    code: int | None = None
    #: What was done to it or around it that may make it fail.
    excuses: set[str] = msgspec.field(default_factory=set)

    @property
    def proof(self) -> str:
        """What the crash point wrote before it fired, or nothing."""
        path = self.folder / f"{self.number}.proof"
        return path.read_text() if path.exists() else ""

    @property
    def outcome(self) -> Outcome:
        """The error, if there was one."""
        path = self.folder / f"{self.number}.outcome"
        return msgspec.json.decode(path.read_bytes(), type=Outcome) if path.exists() else Outcome()

    def signal(self, number: int) -> bool:
        """Send it a signal; False: it has ended already."""
        try:
            # The driver reaps its children only when it tells of them, so the number is still this child's.
            os.kill(self.pid, number)
        except ProcessLookupError:
            return False
        return True

    @property
    def held(self) -> bool:
        """Whether it has stopped, after SIGSTOP; False: it has ended."""
        return stopped(self.pid)


class Steps:
    """The driver, started once for all schedules: it imports Great Expectations."""

    def __init__(self) -> None:
        self._driver = subprocess.Popen(
            [sys.executable, "-m", "tests.fault.soak.driver"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            cwd=REPOSITORY,
            env=os.environ | {"PYTHONPATH": f"{REPOSITORY}:{REPOSITORY / 'include'}"},
        )
        self._runs: dict[int, Run] = {}
        self._unread = b""
        self._count = 0

    def close(self) -> None:
        """End the driver and its children."""
        self._driver.communicate()

    def begin(
        self,
        settings: Settings,
        step: str,
        batch: Batch,
        folder: Path,
        *,
        crash_at: str = "",
        largest_file: int = 0,
    ) -> Run:
        """Start a step; ``folder`` is for its proof and outcome."""
        self._count += 1
        run = Run(self._count, step, batch, folder)
        environ = {crash.AT: crash_at, crash.PROOF: str(folder / f"{run.number}.proof")} if crash_at else {}
        outcome = str(folder / f"{run.number}.outcome")
        request = Request(run.number, settings, step, batch, environ, outcome, largest_file)
        assert self._driver.stdin is not None
        self._driver.stdin.write(msgspec.json.encode(request) + b"\n")
        self._driver.stdin.flush()
        self._runs[run.number] = run
        self._listen(lambda: run.pid, 60)
        return run

    def ended(self, run: Run, timeout_s: float = 0.0) -> bool:
        """Whether it has ended, after waiting for it at most ``timeout_s`` seconds."""
        return self._listen(lambda: run.code is not None, timeout_s)

    def wait(self, run: Run, timeout_s: float = 120.0) -> Run:
        """Wait for its end."""
        assert self.ended(run, timeout_s), f"{run.step} of {run.batch.id} has not ended within {timeout_s:g} s"
        return run

    def _listen(self, condition: Callable[[], object], timeout_s: float) -> bool:
        assert self._driver.stdout is not None
        deadline = time.monotonic() + timeout_s
        with selectors.DefaultSelector() as selector:
            selector.register(self._driver.stdout, selectors.EVENT_READ)
            while not condition() and selector.select(max(0.0, deadline - time.monotonic())):
                read = os.read(self._driver.stdout.fileno(), 1 << 16)
                assert read, "the driver has ended"
                *lines, self._unread = (self._unread + read).split(b"\n")
                for line in lines:
                    self._note(line.decode().split())
        return bool(condition())

    def _note(self, words: list[str]) -> None:
        run = self._runs[int(words[1])]
        if words[0] == "pid":
            run.pid = int(words[2])
        else:
            run.code = int(words[2])
            del self._runs[run.number]


def stopped(pid: int) -> bool:
    """Whether a process stops, which takes the kernel a moment after SIGSTOP; False: it ends instead."""
    deadline = time.monotonic() + 5
    state = ""
    while time.monotonic() < deadline and state not in ("T", "Z"):
        try:
            state = Path(f"/proc/{pid}/stat").read_text().rpartition(") ")[2][:1]
        except (FileNotFoundError, ProcessLookupError):  # it ended before, or just now
            return False
    return state == "T"


def limit_files(largest: int) -> None:
    """Limit the size of a file that this process may write (bytes, 0: none): a full disk without being root."""
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    _, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (largest or hard, hard))
