"""Airflow's commands as forks of one process that has imported Airflow and what tasks import, as its workers are.

A command of its own takes some ten seconds of imports. Lives here: that process and its client. Must not: know
what a command does.
"""

from __future__ import annotations

import atexit
import contextlib
import importlib
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from typing import Any, Final

_SERVE: Final = "from tests.support.warm import serve; serve()"


class Warm:
    """That process. ``environment`` is the one in which it has begun."""

    def __init__(self, process: subprocess.Popen[str], environment: Mapping[str, str]) -> None:
        self._process, self.environment = process, environment

    def airflow(self, *arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
        """Run ``airflow`` with arguments and further variables; the output, both streams in one, is captured.

        ``returncode`` is negative if a signal ended it.
        """
        with tempfile.NamedTemporaryFile("r", prefix="firehose-warm-") as said:
            request = {"arguments": arguments, "environment": {**self.environment, **variables}, "to": said.name}
            assert self._process.stdin is not None and self._process.stdout is not None
            print(json.dumps(request), file=self._process.stdin, flush=True)
            answer = self._process.stdout.readline()
            assert answer, "the process that commands are forked from has ended"
            return subprocess.CompletedProcess(arguments, int(answer), said.read())


@contextlib.contextmanager
def warm(environment: Mapping[str, str]) -> Iterator[Warm]:
    """The process until the end of the block."""
    made = {**environment, "PYTHONPATH": os.pathsep.join(path for path in sys.path if path)}
    with subprocess.Popen(
        [sys.executable, "-c", _SERVE], env=made, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        try:
            yield Warm(process, made)
        finally:
            process.kill()


def serve() -> None:
    """Import, then fork for each line of standard input until it ends; the answer is the exit code."""
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # Airflow prints
    from airflow.sdk.execution_time.supervisor import in_process_api_server

    from firehose.store.objects import fencing

    importlib.import_module("airflow.cli.commands.task_command")
    firehose_plugin = importlib.import_module("firehose_plugin")  # from the folder of plugins, which Airflow knows
    firehose_plugin.warm_up()
    fencing.LEASE_S = 5.0  # a killed command's locks are not waited for half a minute
    assert in_process_api_server().app  # what a task under `tasks test` and `dags test` asks
    for line in sys.stdin:
        if not (child := os.fork()):
            _run(json.loads(line))
        print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), file=answers, flush=True)


def _run(request: dict[str, Any]) -> None:
    """One command, in its own process, which ends."""
    from airflow.__main__ import main

    from ingester.contract import crash

    code: object = 1
    # As Airflow's supervisor does with the process of a task: what was registered before the fork is dropped.
    atexit._clear()
    try:
        descriptor = os.open(request["to"], os.O_WRONLY | os.O_APPEND)
        for stream in (1, 2):
            os.dup2(descriptor, stream)
        os.environ.clear()
        os.environ.update(request["environment"])
        crash.arm(os.environ)
        sys.argv = ["airflow", *request["arguments"]]
        main()  # type: ignore[no-untyped-call]  # not ours
        code = 0
    except SystemExit as error:
        code = error.code or 0
    finally:
        atexit._run_exitfuncs()
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code if isinstance(code, int) else 1)
