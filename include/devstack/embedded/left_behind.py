"""Stops what a killed process runner left behind in a home, in the order in which a runner would have.

Lives here: recognising the services by the locks that they hold, and their end. Must not: start anything.
"""

from __future__ import annotations

import os
import select
import signal
from contextlib import suppress
from pathlib import Path
from typing import Final

import psutil

from devstack.embedded.leash import PATIENCE_S, RUNNER, Holder, holder, holders
from firehose.errors import ServiceUnavailable

#: A service that lost its runner was told to stop by the kernel; it gets this long before it is told again.
_BY_ITSELF_S: Final = 5.0
_TERMINATED_S: Final = PATIENCE_S + 10.0
#: The runner stops eight services one after the other.
_RUNNER_S: Final = 100.0


def stop_left_behind(run: Path) -> list[str]:
    """Stop every service of this home that runs, and wait for the last one. Returns their names in that order.

    Raises:
        ServiceUnavailable: one does not even end by SIGKILL.
    """
    stopped: list[str] = []
    while found := holders(run):
        _stop(run / f"{found[0].name}.lock", found[0])
        # Only once: what starts again at once is the runner's, which goes first.
        stopped += [held.name for held in found if held.name not in stopped]
    return stopped


def _stop(lock: Path, held: Holder) -> None:
    """SIGTERM, and after a while SIGKILL for the service and all of its group that have its lock file open."""
    try:
        process = os.pidfd_open(held.pid)
    except ProcessLookupError:
        return
    try:
        # The descriptor is of one process for ever; the lock says that it is still the one that was found.
        if (now := holder(lock)) is None or now.pid != held.pid:
            return
        runner = held.name == RUNNER
        if runner or not _ends(process, _BY_ITSELF_S):
            _signal(process, signal.SIGTERM)
        if not _ends(process, _RUNNER_S if runner else _TERMINATED_S):
            _signal(process, signal.SIGKILL)
            if not _ends(process, _TERMINATED_S):  # it hangs in the kernel, on a disk that does not answer
                raise ServiceUnavailable(f"{held.name} of this home, process {held.pid}, cannot be killed")
    finally:
        os.close(process)
    _kill_rest(lock, held.group)


def _ends(process: int, within_s: float) -> bool:
    poll = select.poll()
    poll.register(process, select.POLLIN)
    return bool(poll.poll(within_s * 1000))


def _signal(process: int, number: signal.Signals) -> None:
    with suppress(ProcessLookupError):
        signal.pidfd_send_signal(process, number)


def _kill_rest(lock: Path, group: int) -> None:
    """Children that outlive their service: of its group, and with the file that it has inherited open."""
    file = lock.stat()
    for process in psutil.process_iter():
        with suppress(psutil.Error, OSError):
            if os.getpgid(process.pid) != group or process.pid == os.getpid():
                continue
            held = [opened.stat() for opened in Path(f"/proc/{process.pid}/fd").iterdir()]
            if any((one.st_dev, one.st_ino) == (file.st_dev, file.st_ino) for one in held):
                process.kill()  # psutil compares the time at which it began, so a reused pid is refused
