"""Runs the demo: prepares, starts, shows progress and addresses, waits, stops in order."""

from __future__ import annotations

import signal
import threading

import msgspec
from rich.console import Console

from firehose.demo import home, source
from firehose.demo.progress import Progress
from firehose.demo.services import Supervisor, refuse_taken_ports, services
from firehose.embedded.airflow import USER, password, prepare_airflow_home
from firehose.errors import FirehoseError
from firehose.settings import Settings

_POLL_S = 0.5


def run(settings: Settings, *, simulated: bool, until_results: bool) -> None:
    """Run the demo until Ctrl-C or SIGTERM; ``until_results``: only until results can be queried.

    Raises:
        FirehoseError: a taken port, or a service that does not start.
    """
    console = Console(stderr=True)
    stop = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda _signal, _frame: stop.set())
    settings, simulated = _choose_source(home.prepare(settings), console, simulated=simulated)
    wanted = services(settings, simulated=simulated)
    refuse_taken_ports(wanted)
    airflow_home = settings.home_path / "airflow"
    root = home.project_root()
    console.print("preparing Airflow (its database, at the first start only)")
    environ = prepare_airflow_home(
        airflow_home, root / "dags", root / "plugins", home.environment(settings), port=settings.airflow_port
    )
    supervisor = Supervisor(settings.home_path, wanted, environ)
    console.print(f"starting {', '.join(service.name for service in wanted)}; their logs are in {supervisor.logs}")
    supervisor.start()
    try:
        _watch(settings, supervisor, console, stop, until_results=until_results)
    finally:
        console.print("stopping; nothing is lost, and the next start goes on from here")
        supervisor.stop()
        console.print("stopped")


def _choose_source(settings: Settings, console: Console, *, simulated: bool) -> tuple[Settings, bool]:
    """Live Jetstream where it answers; else, and always where asked for, the simulator."""
    where = source.host(settings.jetstream_url)
    if not simulated:
        console.print(f"trying Jetstream at {where}")
        why = source.jetstream_answers(settings.jetstream_url)
        if not why:
            console.print(f"listening to the live firehose at {where}")
            return settings, False
        console.print(f"no way to {where} ({why}): using the built-in simulator instead", highlight=False)
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
        "Airflow": f"http://localhost:{settings.airflow_port}  user {USER}, password "
        f"{password(settings.home_path / 'airflow')}",
        "Data Docs": f"http://localhost:{settings.docs_port}",
        "ClickHouse": f"{settings.clickhouse_url}  user {settings.clickhouse_analyst}, password "
        f"{settings.clickhouse_analyst_password}",
        "Lake": str(settings.lake_path),
        "Query": ".venv/bin/firehose query 'SELECT lang, sum(posts) AS posts FROM firehose.languages_by_hour "
        "GROUP BY lang ORDER BY posts DESC LIMIT 10'",
    }
    for name, value in shown.items():
        console.print(f"[bold]{name:10}[/]  {value}", highlight=False, soft_wrap=True)
    console.print("Ctrl-C stops everything.")
