"""Stops services that a killed process runner left running in a home, in the runner's own order.

Lives here: recognising services by the locks that they hold, and stopping them. Must not: start anything.
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

#: The kernel has told a service without a runner to stop; after this time it is told again.
_BY_ITSELF_S: Final = 5.0
_TERMINATED_S: Final = PATIENCE_S + 10.0
#: The runner stops eight services, one after another.
_RUNNER_S: Final = 100.0


def stop_left_behind(run: Path) -> list[str]:
    """Stop every running service of this home and wait for the last one. Returns their names in that order.

    Raises:
        ServiceUnavailable: one does not end even by SIGKILL.
    """
    stopped: list[str] = []
    while found := holders(run):
        _stop(run / f"{found[0].name}.lock", found[0])
        # Each name once: the runner may restart a service until it is stopped itself.
        stopped += [held.name for held in found if held.name not in stopped]
    return stopped


def _stop(lock: Path, held: Holder) -> None:
    """Send SIGTERM, later SIGKILL, to the service and to processes of its group that have its lock file open."""
    try:
        process = os.pidfd_open(held.pid)
    except ProcessLookupError:
        return
    try:
        # The descriptor always means the same process; the lock shows that it is still the one that was found.
        if (now := holder(lock)) is None or now.pid != held.pid:
            return
        runner = held.name == RUNNER
        if runner or not _ends(process, _BY_ITSELF_S):
            _signal(process, signal.SIGTERM)
        if not _ends(process, _RUNNER_S if runner else _TERMINATED_S):
            _signal(process, signal.SIGKILL)
            if not _ends(process, _TERMINATED_S):  # it hangs in the kernel, for example on a failed disk
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
    """Kill children that outlive their service: they are of its group and have its lock file open."""
    file = lock.stat()
    for process in psutil.process_iter():
        with suppress(psutil.Error, OSError):
            if os.getpgid(process.pid) != group or process.pid == os.getpid():
                continue
            held = [opened.stat() for opened in Path(f"/proc/{process.pid}/fd").iterdir()]
            if any((status.st_dev, status.st_ino) == (file.st_dev, file.st_ino) for status in held):
                process.kill()  # psutil compares the time at which it began, so a reused pid is refused
