"""A process that imports what commands import, once, and forks for each of them.

Lives here: that process, and asking it. Must not: know what a command does.
"""

from __future__ import annotations

import atexit
import ctypes
import gc
import importlib
import json
import os
import signal
import subprocess
import sys
import tempfile
import threading
import traceback
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self

#: A command that takes longer is ended by SIGALRM: one that waits for ever would take all later tests with it.
_LONGEST_S: Final = 600
_PR_SET_PDEATHSIG: Final = 1
_SERVE: Final = "from tests.support.forking import serve; serve()"


class Forking:
    """The process. ``module`` has ``prepare()``, which imports, and ``execute(*arguments)``, which a fork runs."""

    def __init__(self, module: str, environment: Mapping[str, str]) -> None:
        path = [*filter(None, sys.path), *filter(None, [environment.get("PYTHONPATH")])]
        self.environment = {**environment, "PYTHONPATH": os.pathsep.join(path)}
        self._asking = threading.Lock()
        self._process = subprocess.Popen(
            [sys.executable, "-c", _SERVE, module],
            env=self.environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, where: TracebackType | None
    ) -> None:
        self.end()

    def end(self) -> None:
        """End the process, and the command that it runs."""
        with self._process as process:
            process.kill()

    @property
    def is_asked(self) -> bool:
        """Whether a command runs."""
        return self._asking.locked()

    def run(
        self,
        arguments: Sequence[str],
        environment: Mapping[str, str],
        *,
        folder: Path | None = None,
        one_stream: bool = False,
    ) -> subprocess.CompletedProcess[str]:
        """Run a command in a folder, or this one, with nothing else in its environment; one at a time.

        With ``one_stream`` what it writes to standard error is in ``stdout`` as well, in order. ``returncode`` is
        negative if a signal ended it.
        """
        with (
            self._asking,
            tempfile.NamedTemporaryFile("r", prefix="firehose-fork-") as out,
            tempfile.NamedTemporaryFile("r", prefix="firehose-fork-") as err,
        ):
            request = {
                **{
                    "arguments": [*arguments],
                    "environment": dict(environment),
                    "folder": str(folder or Path.cwd()),
                },
                **{"out": out.name, "err": out.name if one_stream else err.name},
            }
            assert self._process.stdin is not None and self._process.stdout is not None
            print(json.dumps(request), file=self._process.stdin, flush=True)
            answer = self._process.stdout.readline()
            assert answer, "the process that commands are forked from has ended"
            return subprocess.CompletedProcess(arguments, int(answer), out.read(), err.read())


def serve() -> None:
    """Prepare, then fork for each line of standard input until it ends; the answer is the exit code."""
    module = importlib.import_module(sys.argv[1])
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # what is imported may print
    module.prepare()
    gc.collect()
    gc.freeze()  # a collection in a fork would copy the pages of all that is here
    for line in sys.stdin:
        if not (child := os.fork()):
            _run(module.execute, json.loads(line))
        print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), file=answers, flush=True)


def _run(execute: Any, request: dict[str, Any]) -> None:
    """One command, in its own process, which ends."""
    from ingester.contract import crash

    code: object = 1
    # As Airflow's supervisor does with the process of a task: what was registered before the fork is dropped.
    atexit._clear()
    # It ends with the process that has forked it, which a test run kills at its end, and it ends by itself.
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, int(signal.SIGKILL))
    signal.alarm(_LONGEST_S)
    try:
        os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
        for stream, name in ((1, "out"), (2, "err")):
            os.dup2(os.open(request[name], os.O_WRONLY | os.O_APPEND), stream)
        os.chdir(request["folder"])
        os.environ.clear()
        os.environ.update(request["environment"])
        crash.arm(os.environ)
        execute(*request["arguments"])
        code = 0
    except SystemExit as error:
        code = error.code or 0
    except KeyboardInterrupt:
        code = 128 + signal.SIGINT
    except Exception:  # noqa: BLE001 - as the interpreter does
        traceback.print_exc()
    finally:
        atexit._run_exitfuncs()
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code if isinstance(code, int) else 1)
