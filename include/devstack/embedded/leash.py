"""Runs a command so that it ends when the process that started it ends; a home's services also hold a kernel lock.

``python -P -m devstack.embedded.leash RUN NAME`` becomes the service described in ``RUN/NAME.json`` (a
:class:`Leashed`); ``PARENT -- COMMAND …`` becomes that command. It runs before every service, so it uses the
standard library only.
"""

from __future__ import annotations

import ctypes
import fcntl
import json
import os
import signal
import struct
import sys
import time
from pathlib import Path
from typing import Final, NamedTuple, NoReturn

#: The name of the process runner, the parent of all other services.
RUNNER: Final = "supervisor"
#: Seconds that the last service waits for the others, and that a service waits for its predecessor.
PATIENCE_S: Final = 15.0
#: A runner closes what it finds above the first few when it starts.
_LOCK_FD: Final = 3
_PR_SET_PDEATHSIG: Final = 1
#: How a child of ours begins that is a Python module. -P: nothing in the current folder is imported.
PYTHON: Final = (sys.executable, "-P", "-m")
_LEASH: Final = (*PYTHON, "devstack.embedded.leash")
_FLOCK: Final = "hhqqi0q"  # struct flock


class Leashed(NamedTuple):
    """A service. ``last``: it ends only after all others. ``parent``: who starts it (a pid; 0: the runner)."""

    command: list[str]
    folder: str
    priority: int
    last: bool = False
    parent: int = 0


class Holder(NamedTuple):
    """A process that holds a service's lock, its process group and the service's priority."""

    name: str
    pid: int
    group: int
    priority: int


def leashed(run: Path, name: str, service: Leashed) -> None:
    """Write the description of the service ``name``, before :func:`command` starts it."""
    (run / f"{name}.json").write_text(json.dumps(service._asdict()))


def command(name: str, run: str = ".") -> list[str]:
    """The command line that starts the service ``name`` of the home with the folder ``run``."""
    return [*_LEASH, run, name]


def ending_with_us(command: list[str]) -> list[str]:
    """The command line that runs ``command`` and sends it SIGTERM when the thread that started it ends."""
    return [*_LEASH, str(os.getpid()), "--", *command]


def holder(lock: Path) -> Holder | None:
    """The process that holds the lock now, from the kernel: a stored pid may belong to another one by now."""
    with lock.open("rb") as stream:
        asked = struct.pack(_FLOCK, fcntl.F_WRLCK, os.SEEK_SET, 0, 0, 0)
        kind, *_, pid = struct.unpack(_FLOCK, fcntl.fcntl(stream, fcntl.F_GETLK, asked))
        if kind == fcntl.F_UNLCK:
            return None
        noted = stream.read().split()
    group, priority = (int(noted[0]), int(noted[1])) if len(noted) == 2 else (pid, 0)
    return Holder(lock.stem, pid, group, priority)


def holders(run: Path) -> list[Holder]:
    """The running services of this home in the order to stop them, the runner first."""
    # home.lock names a command, not a service.
    locks = [lock for lock in run.glob("*.lock") if lock.with_suffix(".json").exists()]
    found = [held for lock in locks if (held := holder(lock))]
    return sorted(found, key=lambda held: (held.name != RUNNER, -held.priority, held.name))


def main(arguments: list[str]) -> NoReturn:
    """Become the service, or the command."""
    if arguments[1] == "--":
        _end_with(int(arguments[0]))
        os.execvp(arguments[2], arguments[2:])  # noqa: S606 - the command is our caller's
    _serve(Path(arguments[0]), arguments[1])


def _serve(run: Path, name: str) -> NoReturn:
    service = Leashed(**json.loads((run / f"{name}.json").read_text()))
    if service.parent:
        _end_with(service.parent)
    else:
        runner = holder(run / f"{RUNNER}.lock")
        _end_with(runner.pid if runner else 0)
    if service.last:
        _keep(run, name, service)
    _become(run, name, service)


def _become(run: Path, name: str, service: Leashed) -> NoReturn:
    _hold(run / f"{name}.lock", service.priority)
    os.chdir(service.folder)
    os.execvp(service.command[0], service.command)  # noqa: S606 - the home's own command


def _hold(lock: Path, priority: int) -> None:
    """Take the lock for this process and the program that it becomes. A child does not inherit it."""
    opened = os.open(lock, os.O_RDWR | os.O_CREAT, 0o600)
    if opened != _LOCK_FD:
        os.dup2(opened, _LOCK_FD)
        os.close(opened)  # before the lock is taken: closing any descriptor of the file gives it up
    os.set_inheritable(_LOCK_FD, True)
    deadline = time.monotonic() + PATIENCE_S
    while True:
        try:
            fcntl.lockf(_LOCK_FD, fcntl.LOCK_EX | fcntl.LOCK_NB)
            break
        except OSError:
            if time.monotonic() > deadline:
                before = holder(lock)
                sys.exit(f"{lock.stem} runs in this home already, as process {before.pid if before else '?'}")
            time.sleep(0.05)
    os.ftruncate(_LOCK_FD, 0)
    os.pwrite(_LOCK_FD, f"{os.getpgrp()} {priority}\n".encode(), 0)


def _end_with(parent: int) -> None:
    """Get SIGTERM when the parent dies; end now if it has already died."""
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, int(signal.SIGTERM))
    if os.getppid() != parent:
        sys.exit("the process that started this one has ended")


def _keep(run: Path, name: str, service: Leashed) -> NoReturn:
    """Start the service as a child, and pass SIGTERM on to it only when all others of this home have ended."""
    waited = {signal.SIGTERM, signal.SIGINT, signal.SIGCHLD}
    ours = os.getpid()
    signal.pthread_sigmask(signal.SIG_BLOCK, waited)
    # Open, so that this process is recognised as well. The service's own must be the only one that it ever closes.
    marker = os.open(run / f"{name}.lock", os.O_RDONLY | os.O_CREAT, 0o600)
    child = os.fork()
    if not child:
        os.close(marker)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, waited)
        _end_with(ours)
        _become(run, name, service)
    while True:
        if signal.sigwait(waited) != signal.SIGCHLD:
            _await_others(run, name)
            os.kill(child, signal.SIGTERM)
        ended, status = os.waitpid(child, os.WNOHANG)
        if ended:
            os._exit(abs(os.waitstatus_to_exitcode(status)))


def _await_others(run: Path, name: str) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while time.monotonic() < deadline and any(held.name not in (name, RUNNER) for held in holders(run)):
        time.sleep(0.05)


if __name__ == "__main__":
    main(sys.argv[1:])
