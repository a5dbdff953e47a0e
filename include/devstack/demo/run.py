"""Runs the demo: prepares and starts it, shows progress and addresses, waits, and stops it in order.

Must not: know how a service is started (services.py, supervisor.py).
"""

from __future__ import annotations

import shlex
import signal
import threading
from pathlib import Path

import msgspec
from rich.console import Console

from devstack.checkout import checkout
from devstack.demo import home, source
from devstack.demo.progress import Progress
from devstack.demo.services import refuse_foreign, refuse_taken_ports, refuse_used_data, services
from devstack.demo.supervisor import Supervisor
from devstack.embedded.airflow import USER, password, prepare_airflow_home
from devstack.embedded.left_behind import stop_left_behind
from devstack.embedded.ownership import RUN, exposed, own_home
from firehose.errors import FirehoseError
from firehose.lake.upgrade import upgrade
from firehose.settings import Settings

_POLL_S = 0.5


def run(settings: Settings, *, simulated: bool, until_results: bool) -> None:
    """Run the demo until Ctrl-C or SIGTERM; ``until_results``: only until results can be queried.

    Raises:
        FirehoseError: not in a checkout, the home is in use, a taken port, or a service that does not start.
    """
    console = Console(stderr=True)
    project = checkout()
    stop = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda _signal, _frame: stop.set())
    open_to_others = exposed(_data_folders(settings))
    with own_home(settings.home_path, "firehose demo") as ownership:
        if left := stop_left_behind(settings.home_path / RUN):
            console.print(f"stopped services of an earlier run: {', '.join(left)}")
        if open_to_others:
            console.print(_exposed_line(open_to_others), soft_wrap=True, highlight=False)
        settings, simulated = _choose_source(home.prepare(settings), console, simulated=simulated)
        refuse_foreign(settings)
        if renamed := upgrade(settings.local_lake):
            names = ", ".join(f"{earlier}/ is now {now}/" for earlier, now in renamed.items())
            console.print(f"the lake was from an earlier version: {names}", soft_wrap=True, highlight=False)
        wanted = services(settings, simulated=simulated)
        refuse_taken_ports(wanted)
        refuse_used_data(settings)
        ownership.serves(service.port for service in wanted if service.port)
        supervisor = Supervisor(settings.home_path, wanted, _prepare_airflow(settings, project, console))
        names = ", ".join(service.name for service in wanted)
        console.print(f"starting {names}; their logs are in {supervisor.logs}", highlight=False)
        supervisor.start()
        try:
            _watch(settings, supervisor, console, stop, until_results=until_results)
        finally:
            console.print("stopping; nothing is lost, and the next start continues from here")
            supervisor.stop()
            console.print("stopped")


def _data_folders(settings: Settings) -> list[Path]:
    parts = ("airflow", "clickhouse", "logs", "redis")
    return [settings.home_path, *(settings.home_path / part for part in parts), settings.local_lake]


def _exposed_line(folders: list[Path]) -> str:
    names = " ".join(shlex.quote(str(folder)) for folder in folders)
    return (
        f"other users of this machine can read folders that already existed; to prevent that: chmod -R go= {names}"
    )


def _prepare_airflow(settings: Settings, project: Path, console: Console) -> dict[str, str]:
    console.print("preparing Airflow (its database only at the first start)")
    return prepare_airflow_home(
        settings.home_path / "airflow",
        project / "dags",
        project / "plugins",
        home.environment(settings),
        port=settings.airflow_port,
    )


def _choose_source(settings: Settings, console: Console, *, simulated: bool) -> tuple[Settings, bool]:
    """Choose live Jetstream if it answers; the simulator if it does not, or if ``simulated`` asks for it."""
    where = source.host(settings.jetstream_url)
    if not simulated:
        console.print(f"trying Jetstream at {where}")
        why = source.jetstream_answers(settings.jetstream_url)
        if not why:
            console.print(f"listening to the live firehose at {where}")
            return settings, False
        console.print(f"cannot reach {where} ({why}): using the built-in simulator instead", highlight=False)
    url = f"ws://127.0.0.1:{settings.simulator_port}/subscribe"
    return msgspec.structs.replace(settings, jetstream_url=url), True


def _watch(
    settings: Settings, supervisor: Supervisor, console: Console, stop: threading.Event, *, until_results: bool
) -> None:
    progress = Progress(settings, console)
    shown = False
    while not stop.wait(_POLL_S):
        if failed := supervisor.failed():
            raise FirehoseError(failed)
        if not shown and progress.step():
            shown = True
            progress.show_results()
            _show_addresses(settings, console)
            if until_results:
                return


def _show_addresses(settings: Settings, console: Console) -> None:
    shown = {
        "Page": f"http://{settings.ui_listen}  what is going on, and SQL",
        "Airflow": f"http://localhost:{settings.airflow_port}  user {USER}, password "
        f"{password(settings.home_path / 'airflow')}",
        "Firehose": f"http://localhost:{settings.airflow_port}/plugin/firehose  the page inside Airflow",
        "Data Docs": f"http://localhost:{settings.docs_port}",
        "ClickHouse": f"{settings.clickhouse_url}  user {settings.clickhouse_analyst}, password "
        f"{settings.clickhouse_analyst_password}",
        "Lake": str(settings.local_lake),
        "Query": ".venv/bin/firehose query 'SELECT lang, sum(posts) AS posts FROM firehose.languages_by_hour "
        "GROUP BY lang ORDER BY posts DESC LIMIT 10'",
    }
    for name, value in shown.items():
        console.print(f"[bold]{name:10}[/]  {value}", highlight=False, soft_wrap=True)
    console.print("Ctrl-C stops everything.")
