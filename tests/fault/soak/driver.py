"""A warm process that forks one child a step, several at once, as Airflow's scheduler forks its tasks.

Great Expectations costs seconds to import: here it is imported once. One request a line, JSON, on standard input;
on standard output ``pid <number> <pid>`` when its child runs and ``end <number> <exit status>`` when it has ended.
Must not: compute anything itself, since a fork keeps no threads.
"""

from __future__ import annotations

import functools
import os
import selectors
import signal
import tempfile
import traceback
from collections.abc import Callable
from pathlib import Path

import jinja2
import msgspec
from jinja2 import FileSystemBytecodeCache

from firehose.batch.drain import drain
from firehose.batch.interval import Batch
from firehose.lake.publish import publish
from firehose.quality.validate import validate
from firehose.settings import Settings
from ingester.contract import crash
from tests.fault.soak.steps import Outcome, Request, limit_files

STEPS: dict[str, Callable[[Settings, Batch], object]] = {"drain": drain, "validate": validate, "publish": publish}
_STDIN = 0


def main() -> None:
    """Serve until standard input ends; children that still run are killed."""
    with tempfile.TemporaryDirectory(prefix="soak-templates-") as folder:
        # Great Expectations compiles its templates again for each page: half of a small batch's validation.
        cache = FileSystemBytecodeCache(folder)
        jinja2.Environment.__init__ = functools.partialmethod(  # type: ignore[method-assign, assignment]  # as above
            jinja2.Environment.__init__, bytecode_cache=cache
        )
        _serve()


def _serve() -> None:
    unread, children = b"", dict[int, tuple[int, int]]()
    with selectors.DefaultSelector() as selector:
        selector.register(_STDIN, selectors.EVENT_READ)
        while True:
            for key, _ in selector.select():
                if key.fd != _STDIN:
                    selector.unregister(key.fd)
                    _reap(key.fd, *children.pop(key.fd))
                    continue
                if not (read := os.read(_STDIN, 1 << 16)):
                    return _end([pid for _, pid in children.values()])
                *lines, unread = (unread + read).split(b"\n")
                for line in lines:
                    number, pid = _begin(msgspec.json.decode(line, type=Request))
                    descriptor = os.pidfd_open(pid)
                    children[descriptor] = number, pid
                    selector.register(descriptor, selectors.EVENT_READ)


def _begin(request: Request) -> tuple[int, int]:
    pid = os.fork()
    if not pid:
        os._exit(_run(request))
    print("pid", request.number, pid, flush=True)
    return request.number, pid


def _reap(descriptor: int, number: int, pid: int) -> None:
    os.close(descriptor)
    print("end", number, os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]), flush=True)


def _end(pids: list[int]) -> None:
    for pid in pids:
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)


def _run(request: Request) -> int:
    # The folder of the step's own small words is not on the disk that fills up.
    outcome = Path(request.outcome)
    try:
        crash.arm(request.environ)
        limit_files(request.largest_file)
        STEPS[request.step](request.settings, request.batch)
    except BaseException as error:  # noqa: BLE001 - whatever it was, the parent's copy of this stack must not go on
        limit_files(0)
        said = Outcome(
            type(error).__name__, getattr(error, "errno", 0) or 0, "".join(traceback.format_exception(error))
        )
        outcome.write_bytes(msgspec.json.encode(said))
        return 1
    return 0


if __name__ == "__main__":
    main()
