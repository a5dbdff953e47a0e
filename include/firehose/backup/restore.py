"""A restore: the lake, then Redis, ClickHouse, Airflow's database and the settings, then a verification.

Safe to repeat after a death: files that are right stay, the rest is put there again. Must not: start services;
write over data that is not an unfinished restore's.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Collection
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import TypeVar

import msgspec

from firehose.areas import RESTORING
from firehose.backup import airflow, clickhouse, options, redis
from firehose.backup.choice import Marker, begin
from firehose.backup.lake import PART as LAKE
from firehose.backup.objects import File
from firehose.backup.sets import Backup, BackupSet, Restored
from firehose.batch import buffer
from firehose.batch.buffer import Connect
from firehose.errors import FirehoseError
from firehose.lake.report import VerifyReport
from firehose.lake.verify import verify
from firehose.progress import BYTES, tracked
from firehose.settings import Settings
from firehose.store import LakePath
from firehose.warehouse.client import clickhouse_errors, connect
from firehose.warehouse.migrate import migrate
from firehose.warehouse.summaries import refresh
from ingester.contract.logs import get_logger

log = get_logger(__name__)

T = TypeVar("T")


class RestoreResult(msgspec.Struct, frozen=True, kw_only=True):
    """What was restored, and how the lake is. ``entries`` are Redis'; ``written`` lists files that are for people.

    ``batches`` had to be loaded into ClickHouse from the lake, since the copied tables did not have them yet.
    """

    name: str
    files: int
    bytes: int
    entries: int
    batches: int
    rows: int
    verdict: str
    problems: list[str]
    written: list[str]
    secrets: list[str]
    notes: list[str]
    seconds: dict[str, float]


def restore(
    settings: Settings,
    kept: Backup,
    chosen: BackupSet,
    connect_redis: Connect,
    *,
    written_to: Path,
    again: bool,
    skip: Collection[str] = (),
) -> RestoreResult:
    """Restore a set to where the settings say, with Redis and ClickHouse running and empty.

    Airflow's database and the settings are written below ``written_to``. ``again``: an unfinished restore of the
    set is completed. ``skip`` names parts to leave out.

    Raises:
        FirehoseError: lake, Redis or ClickHouse hold something already.
        CorruptBackup: something of the set is missing or damaged.
        ServiceUnavailable: Redis, ClickHouse or the store does not answer.
    """
    lake, seconds = settings.lake_path, dict[str, float]()
    if not again:
        _refuse_used(settings, connect_redis, skip)
    begin(settings.home_path, chosen)
    _timed(seconds, "lake", lambda: _restore_lake(lake, kept, chosen))
    entries, batches = 0, 0
    if redis.PART not in skip and redis.PART in chosen.groups:
        entries = _timed(seconds, "redis", lambda: _restore_redis(settings, kept, chosen, connect_redis))
    written = _written(written_to, settings.lake, kept, chosen, skip)
    if clickhouse.PART not in skip:
        batches = _timed(seconds, "clickhouse", lambda: _restore_clickhouse(settings, kept, chosen))
    report = _timed(seconds, "verify", lambda: verify(lake))
    (settings.home_path / RESTORING).unlink(missing_ok=True)
    of_lake = chosen.of(LAKE).values()
    result = RestoreResult(
        name=chosen.name,
        files=sum(group.files for group in of_lake),
        bytes=sum(group.bytes for group in of_lake),
        entries=entries,
        batches=batches,
        rows=sum(counts.rows for counts in report.types.values()),
        verdict=report.verdict,
        problems=report.problems,
        written=written,
        secrets=chosen.secrets,
        notes=chosen.notes,
        seconds=seconds,
    )
    _record(kept, report, result)
    return result


def _refuse_used(settings: Settings, connect_redis: Connect, skip: Collection[str]) -> None:
    lake = settings.lake_path
    if next(lake.listing(), None) is not None:
        raise FirehoseError(f"{lake} is not empty: a restore needs a new lake; name another place")
    if redis.PART not in skip:
        with buffer.connected(settings, connect_redis) as client:
            redis.refuse_used(client)
    if clickhouse.PART not in skip:
        with clickhouse_errors(), closing(connect(settings)) as client:
            clickhouse.refuse_used(client)


def _restore_lake(lake: LakePath, kept: Backup, chosen: BackupSet) -> None:
    """All files; until the last one is there, every step and command refuses the lake."""
    (lake / RESTORING).write(msgspec.json.encode(Marker(chosen.name)))
    groups = chosen.of(LAKE).values()
    files = (file for group in groups for file in kept.files(group))
    size = sum(group.bytes for group in groups)
    for file in tracked(files, "restoring the lake", BYTES, total=size, size=lambda file: file.size):
        _restore_file(lake / file.key, kept, file)
    (lake / RESTORING).remove()


def _restore_file(path: LakePath, kept: Backup, file: File) -> None:
    if path.exists() and path.size() == file.size and path.sha256() == file.sha256:
        return
    with path.replacing() as part, part.open("wb") as out:
        for content in kept.objects.read(file):
            out.write(content)


def _restore_redis(settings: Settings, kept: Backup, chosen: BackupSet, connect_redis: Connect) -> int:
    with buffer.connected(settings, connect_redis) as client:
        redis.empty(client)
        return redis.load(client, kept, chosen.groups[redis.PART])


def _restore_clickhouse(settings: Settings, kept: Backup, chosen: BackupSet) -> int:
    """The copied tables, and what they lack of the lake; returns how many batches those were."""
    with clickhouse_errors(), closing(connect(settings)) as client:
        if groups := chosen.of(clickhouse.PART):
            clickhouse.load(client, settings, kept, groups, chosen.migrations)
        migrate(client, settings)
    return len(refresh(settings).batches)


def _written(folder: Path, lake: str, kept: Backup, chosen: BackupSet, skip: Collection[str]) -> list[str]:
    written = []
    if airflow.PART in chosen.groups and airflow.PART not in skip:
        written.append(str(airflow.write(kept, chosen.groups[airflow.PART], folder)))
    env = options.write(kept, chosen.groups[options.PART], chosen.secrets, folder, lake)
    return [*written, str(env)]


def _record(kept: Backup, report: VerifyReport, result: RestoreResult) -> None:
    if not report.ok:
        return
    done = Restored(name=result.name, at=datetime.now(UTC), rows=result.rows, verdict=result.verdict)
    try:
        kept.write_restored(done)
    except (FirehoseError, OSError) as error:  # a place that may only be read here
        log.warning("the restore is not on record", reason=error)


def _timed(seconds: dict[str, float], step: str, call: Callable[[], T]) -> T:
    started = time.monotonic()
    result = call()
    seconds[step] = round(time.monotonic() - started, 2)
    return result
