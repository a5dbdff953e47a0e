"""``firehose bench legacy``: an old store of all shapes is imported, imported again, and compared.

Each is the operator's own command in a process of its own, so that its memory is its own. The baseline reads
the same files and decodes their JSON, in one process and without any check.
Must not: need Redis, Airflow or ClickHouse.
"""

from __future__ import annotations

import json
import os
import sqlite3
import subprocess
import sys
import tempfile
import time
from contextlib import closing
from pathlib import Path
from typing import NamedTuple

import msgspec
import pyarrow.parquet as pq

from devstack.bench.report import BenchReport, PeakRss
from firehose.errors import FirehoseError
from firehose.legacy.imports.run import ImportReport
from ingester.contract.logs import get_logger
from jetstream_simulator.old_store import Plan, make
from jetstream_simulator.old_store.making import STORE

log = get_logger(__name__)
#: A comparison is measured, whatever it finds.
_ANY = ("--max-only-old=-1", "--max-differs=-1", "--max-undated=-1", "--unheard")


def bench_legacy(records: int, days: int) -> BenchReport:
    """Measure with an old store of ``records`` events of ``days`` days.

    Raises:
        FirehoseError: a command fails, or a record is not accounted for.
    """
    with tempfile.TemporaryDirectory(prefix="firehose-bench-") as name:
        home = Path(name)
        log.info("making an old store", records=records, days=days)
        make(home / "source", Plan(records=records, days=days))
        root = home / "source" / STORE
        plain, baseline_s, baseline_cpu_s = _read_plainly(root)
        imported = _run(home, "import", str(root), "--json")
        first = msgspec.json.decode(imported.said, type=ImportReport)
        repeated = _run(home, "import", str(root), "--json")
        again = msgspec.json.decode(repeated.said, type=ImportReport)
        compared = _run(home, "compare", str(root), "--json", *_ANY)
    _require_whole(first, again, plain)
    rate, baseline = first.records / imported.seconds, plain / baseline_s
    return BenchReport(
        name="legacy",
        events=first.records,
        events_per_s=round(rate),
        baseline="the same files read, their JSON decoded",
        baseline_events_per_s=round(baseline),
        ratio=round(rate / baseline, 4),
        peak_rss_mib=round(imported.mib, 1),
        seconds=_seconds(imported, repeated, compared, first),
        notes={
            "days": days,
            "batches": first.batches,
            "files": first.files,
            "compare MiB": round(compared.mib, 1),
            "records a CPU second": round(first.records / imported.cpu_seconds),
            "baseline, records a CPU second": round(plain / baseline_cpu_s),
        },
    )


class _Ran(NamedTuple):
    """What a command printed, its seconds by the clock and of processors, and the MiB of it and its workers."""

    said: bytes
    seconds: float
    cpu_seconds: float
    mib: float


def _seconds(imported: _Ran, repeated: _Ran, compared: _Ran, report: ImportReport) -> dict[str, float]:
    """By the clock and of processors: where these differ much, others kept the machine busy."""
    took: dict[str, float] = {}
    for name, ran in (("import", imported), ("import again", repeated), ("compare", compared)):
        took |= {name: ran.seconds, f"{name}, CPU": ran.cpu_seconds}
    for step, seconds in report.seconds.items():
        took |= {f"import, {step}": seconds, f"import, {step}, CPU": report.cpu_seconds[step]}
    return {name: round(seconds, 2) for name, seconds in took.items()}


def _run(home: Path, *arguments: str) -> _Ran:
    """Run ``firehose legacy``."""
    of_others = {name: value for name, value in os.environ.items() if not name.startswith("FIREHOSE_")}
    own = {"FIREHOSE_HOME": str(home), "FIREHOSE_LAKE": str(home / "lake")}
    command = [str(Path(sys.executable).with_name("firehose")), "legacy", *arguments]
    log.info("running", command=" ".join(command[1:3]))
    began, cpu = time.monotonic(), _cpu_seconds()
    with (
        tempfile.TemporaryFile() as printed,
        tempfile.TemporaryFile() as errors,
        subprocess.Popen(command, stdout=printed, stderr=errors, env=of_others | own) as running,
    ):
        try:
            with PeakRss(running.pid, together=True) as peak:
                failed = running.wait()
        finally:
            running.terminate()
        took, cpu = time.monotonic() - began, _cpu_seconds() - cpu
        printed.seek(0)
        errors.seek(0)
        if failed:
            raise FirehoseError(f"firehose legacy {arguments[0]} failed: {errors.read().decode().strip()}")
        return _Ran(printed.read(), took, cpu, peak.mib)


def _cpu_seconds() -> float:
    """Seconds of processors of all ended processes below this one."""
    times = os.times()
    return times.children_user + times.children_system


def _require_whole(first: ImportReport, again: ImportReport, plain: int) -> None:
    """Raises FirehoseError unless both imports agree with what was read plainly."""
    if first.records != plain or first.received != plain:
        raise FirehoseError(f"{plain} records were there, {first.records} were read, {first.received} received")
    if (again.files, again.batches, again.rows) != (0, 0, first.rows):
        raise FirehoseError(f"a second import read {again.files} files and made {again.batches} batches")


def _read_plainly(root: Path) -> tuple[int, float, float]:
    """The records below ``root``, and the seconds that it took to read them, by the clock and of the processor."""
    began, cpu = time.monotonic(), time.process_time()
    count = 0
    for path in root.rglob("*.json"):
        json.loads(path.read_bytes())
        count += 1
    for path in root.rglob("*.db"):
        with closing(sqlite3.connect(f"file:{path}?mode=ro&immutable=1", uri=True)) as database:
            for (payload,) in database.execute("SELECT payload FROM queue ORDER BY id"):
                count += len(json.loads(payload))
    for path in root.rglob("*.parquet"):
        if path.is_file():  # the old system named folders so as well
            count += len(pq.read_table(path, partitioning=None).to_pylist())
    return count, time.monotonic() - began, time.process_time() - cpu
