"""`firehose bench batch`: one whole run of the batch DAG in a real Airflow, against a study script's conversion.

Events go through the real ingester into Redis within one minute; the run of that minute's interval is what is
measured, from the close of the interval to the end of the run, and task by task from Airflow's own records.
"""

from __future__ import annotations

import sqlite3
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import UTC, datetime
from pathlib import Path

import msgspec

from devstack.bench.ingest import write_recording
from devstack.bench.report import BenchReport, PeakRss
from devstack.checkout import checkout
from devstack.demo.home import environment
from devstack.embedded import airflow
from devstack.embedded.ingester import ingester_process, wait_for_events
from devstack.embedded.leash import PYTHON, ending_with_us
from devstack.embedded.redis import RedisServer, free_port
from firehose.batch import buffer
from firehose.batch.buffer import redis_ms
from firehose.errors import FirehoseError, ServiceUnavailable
from firehose.settings import Settings
from ingester.contract.redis_access import MONITORING
from jetstream_simulator import process as simulator

#: An interval must hold all events: they are let go early in a minute, with at least these seconds of it left.
INGEST_S = 45
_START_TIMEOUT_S = 120.0
_RUN_TIMEOUT_S = 240.0
_WARM = "imported"  # what the plugin logs in the scheduler once the tasks' modules are loaded
_RUNS = """\
SELECT state, start_date, end_date FROM dag_run
WHERE dag_id = 'firehose_batch' AND data_interval_start LIKE ?"""
_TASKS = """\
SELECT task_id, task_instance.start_date, task_instance.end_date FROM task_instance
JOIN dag_run USING (dag_id, run_id)
WHERE dag_id = 'firehose_batch' AND data_interval_start LIKE ?"""


def bench_batch(events: int) -> BenchReport:
    """Measure a batch of ``events`` synthetic events.

    Raises:
        FirehoseError: Airflow or another part does not start, or the run fails.
    """
    project = checkout()
    with tempfile.TemporaryDirectory(prefix="firehose-bench-") as name:
        folder = Path(name)
        recording = folder / "events.jsonl"
        write_recording(recording, events)
        measured = baseline(recording, folder)
        with RedisServer(folder) as server:
            settings = settings_of(folder, server.url)
            seconds, peak = _run(settings, project, recording, events)
        lake = sum(path.stat().st_size for path in settings.local_lake.glob("year=*/**/*.parquet"))
        raw = recording.stat().st_size
    return BenchReport(
        name="batch",
        events=events,
        events_per_s=round(events / seconds["run"]),
        baseline="json, pandas and Parquet in one pass, no validation, no Airflow",
        baseline_events_per_s=round(measured),
        ratio=round(events / seconds["run"] / measured, 3),
        peak_rss_mib=round(peak, 1),
        seconds=seconds,
        notes={"compression": round(1 - lake / raw, 4), "bytes_per_event": round(lake / events, 1)},
    )


def settings_of(folder: Path, redis_url: str) -> Settings:
    """The settings of the run: the DAG's first interval is the one in which the ingest will take place."""
    first = (int(time.time()) // 60 + 1) * 60
    return Settings(
        home=str(folder),
        lake=str(folder / "lake"),
        redis_url=redis_url,
        batch_minutes=1,
        start_date=datetime.fromtimestamp(first, UTC).isoformat(),
        airflow_port=free_port(),
    )


def baseline(recording: Path, folder: Path) -> float:
    """The events a second of the study script.

    Raises:
        FirehoseError: it failed.
    """
    command = [*PYTHON, "devstack.bench.naive", str(recording), str(folder)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise FirehoseError(f"the baseline failed: {done.stderr.strip().splitlines()[-1]}")
    return float(done.stdout)


def _run(settings: Settings, project: Path, recording: Path, events: int) -> tuple[dict[str, float], float]:
    with running_airflow(settings, project) as processes:
        interval = fill(settings, recording, events)
        with PeakRss(*(process.pid for process in processes)) as peak:
            seconds = await_run(settings, interval)
    return seconds, peak.mib


@contextmanager
def running_airflow(settings: Settings, project: Path) -> Iterator[list[subprocess.Popen[bytes]]]:
    """An Airflow in the home of these settings, ready to run tasks; its processes.

    Raises:
        ServiceUnavailable: it does not get ready.
    """
    folder = settings.home_path
    environ = airflow.prepare_airflow_home(
        folder / "airflow",
        project / "dags",
        project / "plugins",
        environment(settings),
        port=settings.airflow_port,
    )
    processes: list[subprocess.Popen[bytes]] = []
    with (folder / "airflow.log").open("wb") as log:
        try:
            for command in airflow.commands().values():
                processes.append(
                    subprocess.Popen(
                        ending_with_us(command), env=environ, stdout=log, stderr=log, stdin=subprocess.DEVNULL
                    )
                )
            _wait_until_warm(folder / "airflow.log")
            yield processes
        finally:
            for process in processes:
                process.terminate()
            for process in processes:
                process.wait(60)


def _wait_until_warm(log: Path) -> None:
    deadline = time.monotonic() + _START_TIMEOUT_S
    while _WARM not in log.read_text(errors="replace"):
        if time.monotonic() > deadline:
            raise ServiceUnavailable(f"Airflow's scheduler was not ready within {_START_TIMEOUT_S:g} s")
        time.sleep(0.2)


def fill(settings: Settings, recording: Path, events: int, ingest_s: int = INGEST_S) -> datetime:
    """Bring all events into Redis within one minute of its clock, not before the DAG's first; returns that minute.

    ``ingest_s``: the seconds of the minute that must be left when it begins.

    Raises:
        FirehoseError: a part does not start, or it took longer.
    """
    with simulator.start([f"--replay={recording}", "--once", f"--retention={events}"]) as source:
        ready = msgspec.structs.replace(settings, jetstream_url=source.url, start_cursor=1, rewind_ms=0)
        with buffer.client(settings, MONITORING) as client:
            first_ms = datetime.fromisoformat(settings.start_date).timestamp() * 1000
            while (now_ms := redis_ms(client)) < first_ms or now_ms // 1000 % 60 > 60 - ingest_s:
                time.sleep(0.2)
            minute = redis_ms(client) // 60_000
            with ingester_process(ready) as process:
                wait_for_events(client, events, process)
            if redis_ms(client) // 60_000 != minute:
                raise FirehoseError(f"{events} events did not fit into a minute; use fewer")
    return datetime.fromtimestamp(minute * 60, UTC)


def await_run(settings: Settings, interval: datetime) -> dict[str, float]:
    """The seconds of the run of an interval: as a whole, late at its start, and by task.

    Raises:
        FirehoseError: the run fails, or takes too long.
    """
    database = settings.home_path / "airflow" / "airflow.db"
    pattern = f"{interval:%Y-%m-%d %H:%M:%S}%"
    deadline = time.monotonic() + _RUN_TIMEOUT_S
    while time.monotonic() < deadline:
        with closing(sqlite3.connect(f"file:{database}?mode=ro", uri=True)) as connection:
            run = connection.execute(_RUNS, [pattern]).fetchone()
            if run and run[0] == "failed":
                raise FirehoseError("the batch run failed; see its task logs")
            if run and run[0] == "success":
                tasks = connection.execute(_TASKS, [pattern]).fetchall()
                closed = interval.timestamp() + 60
                return {
                    "run": round(_epoch(run[2]) - closed, 2),
                    "scheduled_after": round(_epoch(run[1]) - closed, 2),
                    **{task: round(_epoch(end) - _epoch(start), 2) for task, start, end in tasks},
                }
        time.sleep(0.5)
    raise ServiceUnavailable(f"the batch run did not end within {_RUN_TIMEOUT_S:g} s")


def _epoch(text: str) -> float:
    return datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp()
