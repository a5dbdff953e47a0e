"""Steps in processes of their own that stop at a durable boundary, as on a disk that has become very slow.

Lives here: how to start such a step, and to learn that another one waits for a lock of it. Must not: tests.
"""

from __future__ import annotations

import logging
import os
import select
import signal
import traceback
from collections.abc import Callable
from pathlib import Path

from ingester.contract import crash

#: Seconds after which a test gives up.
_PATIENCE_S = 60


class Running:
    """A step in a forked process; ``stops_at``: a crash point of ingester/contract/crash.py where it stops."""

    def __init__(self, step: Callable[[], object], folder: Path, stops_at: str = "") -> None:
        self._proof = folder / "proof"
        self._proof.unlink(missing_ok=True)
        self._point = stops_at.partition(":")[0]
        self._said, says = os.pipe()
        self._pid = os.fork()
        if not self._pid:
            code = 1
            try:
                code = _run(step, says, {crash.AT: stops_at, crash.PROOF: str(self._proof)} if stops_at else {})
            finally:
                os._exit(code)
        os.close(says)
        if stops_at:
            _, status = os.waitpid(self._pid, os.WUNTRACED)
            assert os.WIFSTOPPED(status), f"it ended, and did not come to {stops_at}"
            assert self._proof.read_text().startswith(self._point)

    def waits_for(self) -> str:
        """The name of the lock that it waits for now, or empty: it has come to its end without."""
        ready, _, _ = select.select([self._said], [], [], _PATIENCE_S)
        assert ready, "it neither waits nor ends"
        return os.read(self._said, 1 << 16).decode().partition("\n")[0]

    def go_on(self) -> None:
        """Let it go on from where it has stopped."""
        os.kill(self._pid, signal.SIGCONT)

    def kill(self) -> None:
        """End it at once."""
        os.kill(self._pid, signal.SIGKILL)
        self.end()

    def end(self) -> int:
        """Wait for its end; returns the exit code."""
        _, status = os.waitpid(self._pid, 0)
        os.close(self._said)
        return os.waitstatus_to_exitcode(status)


class _Waiting(logging.Handler):
    """Says which lock could not be had at once."""

    def __init__(self, says: int) -> None:
        super().__init__()
        self._says = says

    def emit(self, record: logging.LogRecord) -> None:
        if "not acquired" in str(record.msg) and isinstance(record.args, tuple):
            os.write(self._says, Path(str(record.args[1])).name.encode() + b"\n")


def _run(step: Callable[[], object], says: int, environ: dict[str, str]) -> int:
    locks = logging.getLogger("filelock")
    locks.setLevel(logging.DEBUG)
    locks.addHandler(_Waiting(says))
    kill = os.kill
    os.kill = lambda pid, _: kill(pid, signal.SIGSTOP)  # a crash point's death becomes a stop
    crash.arm(environ)
    try:
        step()
    except BaseException:  # noqa: BLE001 - whatever it was, the parent's copy of this stack must not go on
        traceback.print_exc()
        return 1
    return 0
