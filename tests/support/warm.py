"""Airflow's commands as forks of one process that has imported Airflow and what tasks import, as its workers are.

A process of its own takes some ten seconds to import and to set up Airflow's API. Lives here: what is prepared in
that one, and the commands. Must not: fork (``forking``).
"""

from __future__ import annotations

import asyncio
import contextlib
import importlib
import subprocess
import sys
from collections.abc import Iterator, Mapping

from tests.support.forking import Forking


class Warm:
    """That process. ``environment`` is the one in which it has begun."""

    def __init__(self, process: Forking) -> None:
        self._process, self.environment = process, process.environment

    def airflow(self, *arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
        """Run ``airflow`` with arguments and further variables, as ``python`` does."""
        return self.python("-m", "airflow", *arguments, **variables)

    def python(self, *arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
        """Run ``python -c CODE …`` or ``python -m airflow …``; ``stdout`` has both streams.

        ``returncode`` is negative if a signal ended it.
        """
        return self._process.run(arguments, {**self.environment, **variables}, one_stream=True)


@contextlib.contextmanager
def warm(environment: Mapping[str, str]) -> Iterator[Warm]:
    """The process until the end of the block."""
    with Forking(__name__, environment) as process:
        yield Warm(process)


def prepare() -> None:
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


def execute(option: str, what: str, *arguments: str) -> None:
    """``python -c CODE …`` or ``python -m airflow …``."""
    from airflow.__main__ import main

    sys.argv = [what if option == "-m" else option, *arguments]
    if option == "-m":
        main()  # type: ignore[no-untyped-call]  # not ours
    else:
        exec(what, {"__name__": "__main__"})  # noqa: S102 - as the option says
