"""Airflow's commands as forks of one process that has imported Airflow and what tasks import, as its workers are.

A process of its own takes some ten seconds to import and to set up Airflow's API. Lives here: that process and its
client. Must not: know what a command does.
"""

from __future__ import annotations

import asyncio
import atexit
import contextlib
import gc
import importlib
import json
import os
import subprocess
import sys
import tempfile
import traceback
from collections.abc import Iterator, Mapping
from typing import Any, Final

_SERVE: Final = "from tests.support.warm import serve; serve()"


class Warm:
    """That process. ``environment`` is the one in which it has begun."""

    def __init__(self, process: subprocess.Popen[str], environment: Mapping[str, str]) -> None:
        self._process, self.environment = process, environment

    def airflow(self, *arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
        """Run ``airflow`` with arguments and further variables, as ``python`` does."""
        return self.python("-m", "airflow", *arguments, **variables)

    def python(self, *arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
        """Run ``python -c CODE …`` or ``python -m airflow …``; the output, both streams in one, is captured.

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
    path = [*filter(None, sys.path), *filter(None, [environment.get("PYTHONPATH")])]
    made = {**environment, "PYTHONPATH": os.pathsep.join(path)}
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
    _warm_up()
    gc.collect()
    gc.freeze()  # a collection in a fork would copy the pages of all that is here
    for line in sys.stdin:
        if not (child := os.fork()):
            _run(json.loads(line))
        print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), file=answers, flush=True)


def _warm_up() -> None:
    """Do what every command would: import, relate the tables of Airflow's database, set up its API."""
    from sqlalchemy.orm import configure_mappers

    from firehose.store.objects import fencing

    importlib.import_module("airflow.cli.commands.task_command")
    firehose_plugin = importlib.import_module("firehose_plugin")  # from the folder of plugins, which Airflow knows
    firehose_plugin.warm_up()
    fencing.LEASE_S = 5.0  # a killed command's locks are not waited for half a minute
    configure_mappers()
    asyncio.run(_ask_api())


async def _ask_api() -> None:
    """Ask the API that a task under ``tasks test`` and ``dags test`` asks: its first request takes seconds."""
    from airflow.sdk.execution_time.supervisor import in_process_api_server
    from httpx import AsyncClient

    async with AsyncClient(transport=in_process_api_server().atransport, base_url="http://in-process") as client:
        assert (await client.get("/nowhere")).status_code == 404


def _run(request: dict[str, Any]) -> None:
    """One command, in its own process, which ends."""
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
        _execute(*request["arguments"])
        code = 0
    except SystemExit as error:
        code = error.code or 0
    except Exception:  # noqa: BLE001 - as the interpreter does
        traceback.print_exc()
    finally:
        atexit._run_exitfuncs()
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code if isinstance(code, int) else 1)


def _execute(option: str, what: str, *arguments: str) -> None:
    """``python -c CODE …`` or ``python -m airflow …``."""
    from airflow.__main__ import main

    sys.argv = [what if option == "-m" else option, *arguments]
    if option == "-m":
        main()  # type: ignore[no-untyped-call]  # not ours
    else:
        exec(what, {"__name__": "__main__"})  # noqa: S102 - as the option says
