"""The project's Airflow plugin: imports what is heavy once, in the scheduler, before it forks its workers.

Every Airflow process loads this file, so nothing heavy is imported at its top. Must not: pipeline logic.
"""

from __future__ import annotations

import importlib
import logging
import sys
import time
from typing import Final

from airflow.listeners import hookimpl
from airflow.plugins_manager import AirflowPlugin
from firehose_connection_tests import list_connections, make_testable
from firehose_notes import RunNotes
from firehose_timetable import BatchTimetable
from firehose_web import FASTAPI_APP, VIEW
from firehose_wiring import NewestFirst

from ingester.contract.logs import get_logger

log = get_logger(__name__)

#: What the batch tasks import. Great Expectations alone takes some ten seconds.
WARM: Final = (
    "firehose_hooks",
    "great_expectations",
    "pandas",
    "pyarrow",
    "firehose.batch.drain",
    "firehose.quality.validate",
    "firehose.lake.publish",
    "firehose.warehouse.summaries",
)


class WarmImports:
    """A listener: tasks are forked from the scheduler's executor workers, and find these modules imported."""

    @hookimpl
    def on_starting(self, component: object) -> None:
        """Airflow calls this in every component and in every task; only the scheduler needs it."""
        if _is_scheduler(component):
            _check_pools()
            list_connections()
            warm_up()


def warm_up() -> None:
    """Import what tasks import, in a process that they are forked from."""
    # It reports on hundreds of its own decorators at "info" while it is imported.
    logging.getLogger("great_expectations").setLevel(logging.WARNING)
    started = time.monotonic()
    for name in WARM:
        importlib.import_module(name)
    log.info("imported the modules of the tasks", modules=len(WARM), seconds=round(time.monotonic() - started, 1))


def _warm_celery() -> None:
    """Import in a worker of Celery before it forks the processes that run tasks.

    Celery calls this then, if plugins are loaded before (``[core] lazy_load_plugins = False``); Airflow has no
    ``on_starting`` for this component.
    """
    signals = importlib.import_module("celery.signals")  # there only where Celery's provider is
    signals.import_modules.connect(lambda **_: warm_up(), weak=False)


def _is_scheduler(component: object) -> bool:
    # Every service passes a Job whose type is not set yet: the command line tells them apart. A task has the
    # scheduler's command line, being its fork, but passes something else.
    return type(component).__name__ == "Job" and sys.argv[1:2] == ["scheduler"]


def _check_pools() -> None:
    """Log an error for a missing pool: its tasks would wait for ever, and Airflow hardly mentions it."""
    from airflow.models.pool import Pool
    from firehose_wiring import MEMORY_POOL

    if Pool.get_pool(MEMORY_POOL) is None:
        log.error(
            "pool does not exist, so no batch will be validated",
            pool=MEMORY_POOL,
            hint="run: airflow pools import include/firehose/airflow/pools.json",
        )


class FirehosePlugin(AirflowPlugin):
    """The plugin, as Airflow finds it in this file."""

    name = "firehose"
    listeners = [WarmImports(), RunNotes()]  # noqa: RUF012 - Airflow declares it a plain class attribute
    timetables = [BatchTimetable]  # noqa: RUF012 - as above
    priority_weight_strategies = [NewestFirst]  # noqa: RUF012 - as above
    fastapi_apps = [FASTAPI_APP]  # noqa: RUF012 - as above
    external_views = [VIEW]  # noqa: RUF012 - as above


if sys.argv[1:2] == ["api-server"]:
    make_testable()
if sys.argv[1:3] == ["celery", "worker"]:
    _warm_celery()
