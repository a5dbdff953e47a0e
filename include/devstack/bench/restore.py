"""`firehose bench restore`: a day of events is backed up, lost with everything else, and restored.

Lake, Redis and ClickHouse are real; the backup is a folder of the same disk. Backup and restore are killed at
random moments and repeated before they are let run to their end, so what they take is that of the last attempt. A
backup without changes and a plain copy of the same files are measured as well. Everything has to be as it was.
"""

from __future__ import annotations

import hashlib
import multiprocessing
import random
import shutil
import tempfile
import time
from collections.abc import Callable
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final

import msgspec
from clickhouse_connect.driver.client import Client

from devstack.bench.catchup import run_step
from devstack.bench.report import BenchReport, PeakRss
from devstack.bench.synthetic import fill
from devstack.embedded import clickhouse
from devstack.embedded.redis import RedisServer, free_port
from devstack.restore import restore_into
from firehose import files
from firehose.backup.clickhouse import TABLES
from firehose.backup.run import BackupResult, backup
from firehose.batch.interval import Batch
from firehose.errors import FirehoseError
from firehose.settings import Settings
from firehose.warehouse.client import connect
from firehose.warehouse.migrate import migrate
from firehose.warehouse.summaries import refresh
from ingester.contract import wire
from ingester.contract.logs import get_logger
from ingester.contract.redis_access import PIPELINE

log = get_logger(__name__)

STEPS: Final = ("drain", "validate", "publish")
_DAY_S: Final = 86_400
#: At most this many events are in Redis when all is lost.
_UNDRAINED: Final = 100_000
_KILLS: Final = 3


def bench_restore(events: int) -> BenchReport:
    """Measure a full loss and restore of ``events`` events of one day.

    Raises:
        FirehoseError: a step fails, or something is not as it was.
    """
    with tempfile.TemporaryDirectory(prefix="firehose-bench-") as name:
        folder = Path(name)
        settings = _settings(folder)
        with RedisServer(folder / "home", maxmemory="64gb") as server:
            settings = msgspec.structs.replace(settings, redis_url=server.url)
            _make_day(settings, server, events)
            with clickhouse.start(settings):
                before = _state(settings, server) | _load(settings)
                first, second, seconds, kills = _back_up(settings)
        (folder / "home").rename(folder / "lost")
        seconds["copy"] = _copied(folder / "lost/lake", folder / "copy")
        with PeakRss(multiprocessing.current_process().pid or 0) as peak:
            kills += _killed(lambda: _files(folder / "new/lake"), _restore, settings, folder / "new")
            started = time.monotonic()
            done = restore_into(settings, folder / "new", None, ())
            seconds |= {"restore": round(time.monotonic() - started, 2)}
        seconds |= {f"restore {part}": took for part, took in done.seconds.items()}
        _compare(settings, folder / "new", before)
    whole = seconds["restore"] - seconds["restore verify"]
    return BenchReport(
        name="restore",
        events=events,
        events_per_s=round(events / seconds["restore"]),
        baseline="a plain copy of the lake's files",
        baseline_events_per_s=round(events / max(seconds["copy"], 0.01)),
        ratio=round(whole / max(seconds["copy"], 0.01), 2),
        peak_rss_mib=round(peak.mib, 1),
        seconds=seconds,
        notes={
            "rows": done.rows,
            "entries of Redis": done.entries,
            "files": first.files,
            "MiB": round(first.size / 2**20, 1),
            "objects sent after the kills": first.sent,
            "objects sent again without changes": second.sent,
            "kills": kills,
        },
    )


def _settings(folder: Path) -> Settings:
    return Settings(
        home=str(folder / "home"),
        lake=str(folder / "home/lake"),
        backup=str(folder / "backup"),
        clickhouse_url=f"http://127.0.0.1:{free_port()}",
        clickhouse_loader_password="loads",  # noqa: S106 - of a server on loopback that lives for minutes
        clickhouse_analyst_password="reads",  # noqa: S106 - as above
    )


def _make_day(settings: Settings, server: RedisServer, events: int) -> None:
    """Yesterday's events through the steps, as one batch, and more that are not drained."""
    now = datetime.now(UTC).replace(minute=0, second=0, microsecond=0)
    day = now.replace(hour=0) - timedelta(days=1)
    start_us, rate = int(day.timestamp() * 1e6), events / _DAY_S
    batch = Batch.of(now - timedelta(hours=2), now - timedelta(hours=1))
    with server.client(PIPELINE) as client:
        log.info("making events", events=events)
        fill(client, batch, events, start_us, rate)
        for step in STEPS:
            run_step(step, settings, batch)
        later = Batch.of(batch.end, batch.end + timedelta(minutes=5))
        fill(client, later, min(events, _UNDRAINED), start_us, rate)


def _load(settings: Settings) -> dict[str, str]:
    with closing(connect(settings)) as client:
        migrate(client, settings)
        refresh(settings)
        return _tables(client)


def _state(settings: Settings, server: RedisServer) -> dict[str, str]:
    """Digests of every file of the lake, and how many entries each queue has."""
    lake = Path(settings.lake)
    found = {key: files.sha256(lake / key) for key in _files(lake)}
    with server.client() as client:
        return found | {queue: str(client.xlen(wire.stream_key(queue))) for queue in wire.QUEUES}


def _files(lake: Path) -> list[str]:
    found = (path for path in lake.rglob("*") if path.is_file() and ".locks" not in path.parts)
    return [str(path.relative_to(lake)) for path in found]


def _tables(client: Client) -> dict[str, str]:
    """A digest of the rows of each table; of states of aggregates the number that they give.

    Of batches without what a listing says of their ledger entries: files that were restored are other files.
    """
    columns = {
        "ops.account_states_by_hour": "* EXCEPT (state), finalizeAggregation(state)",
        "ops.batches": "* EXCEPT (loaded_at, stamp)",
    }
    found = {}
    for table in TABLES:
        final = " FINAL" if table == "ops.batches" else ""
        query = f"SELECT {columns.get(table, '*')} FROM {table}{final} ORDER BY ALL"
        rows = client.raw_query(query, fmt="RowBinary")
        found[table] = hashlib.sha256(rows).hexdigest()
    return found


def _back_up(settings: Settings) -> tuple[BackupResult, BackupResult, dict[str, float], int]:
    objects = Path(settings.backup) / "objects"
    kills = _killed(lambda: list(objects.glob("*/*")), backup, settings)
    started = time.monotonic()
    first = backup(settings)
    again = time.monotonic()
    second = backup(settings)
    took = {"backup": round(again - started, 2), "backup again": round(time.monotonic() - again, 2)}
    return first, second, took, kills


def _killed(done: Callable[[], list[Any]], run: Callable[..., object], *arguments: object) -> int:
    """Run something a few times in a process that is killed once it has done some more; how often that was."""
    chance, kills = random.Random(), 0  # noqa: S311 - moments to kill at
    for _ in range(_KILLS):
        process = multiprocessing.get_context("spawn").Process(target=run, args=arguments)
        process.start()
        wanted = len(done()) + chance.randint(1, 40)
        while process.is_alive() and len(done()) < wanted:
            time.sleep(0.005)
        process.kill()
        process.join()
        kills += process.exitcode != 0
    return kills


def _restore(settings: Settings, home: Path) -> None:
    restore_into(settings, home, None, ())


def _copied(lake: Path, to: Path) -> float:
    started = time.monotonic()
    shutil.copytree(lake, to)
    return round(time.monotonic() - started, 2)


def _compare(settings: Settings, home: Path, before: dict[str, str]) -> None:
    placed = msgspec.structs.replace(settings, home=str(home), lake=str(home / "lake"))
    with RedisServer(home) as server, clickhouse.start(placed), closing(connect(placed)) as client:
        after = _state(placed, server) | _tables(client)
    if wrong := sorted(key for key in before.keys() | after.keys() if before.get(key) != after.get(key)):
        raise FirehoseError(f"{len(wrong)} of {len(before)} things are not as they were, such as {wrong[0]}")
