"""A backup: Airflow, Redis, ClickHouse, the settings, then the lake, and the set's own file last.

Each part is copied before what it refers to: so whatever the set says was done, it has the result of
(docs/decisions/0028-…). Must not: know how a part is copied.
"""

from __future__ import annotations

import time
from collections.abc import Collection
from contextlib import AbstractContextManager, closing
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from typing import Annotated, Final

import msgspec

from firehose import metrics
from firehose.backup import airflow, clickhouse, expired, options, redis
from firehose.backup.lake import PART as LAKE
from firehose.backup.lake import LakeCopy
from firehose.backup.sets import Backup, BackupSet, Group
from firehose.batch import buffer
from firehose.batch.buffer import Connect
from firehose.batch.lock import at_rest, locks_folder
from firehose.errors import ServiceUnavailable
from firehose.settings import Settings
from firehose.store import LakePath
from firehose.warehouse.client import clickhouse_errors, connect
from ingester.contract.logs import get_logger

log = get_logger(__name__)

#: The parts that may be left out, where there is none of that kind.
PARTS: Final = (redis.PART, clickhouse.PART, airflow.PART)
#: How long a step of the pipeline may hold up a backup, and a backup the steps that want to begin.
_REST_S: Final = 300.0
#: Looks at a lake at rest: hours may be closed meanwhile, one by one.
_LOOKS: Final = 20


class BackupResult(msgspec.Struct, frozen=True, kw_only=True):
    """A complete set of ``files`` with ``size`` bytes; ``sent`` objects of ``sent_bytes`` had to be written.

    ``read`` files of the lake had changed since the set before. ``problems`` are hour files that are not what
    their records say; ``notes`` say what is not in the set.
    """

    name: str
    files: Annotated[int, metrics.BACKUP_FILES]
    size: Annotated[int, metrics.BACKUP_BYTES]
    sent: Annotated[int, metrics.BACKUP_SENT]
    sent_bytes: Annotated[int, metrics.BACKUP_SENT_BYTES]
    read: Annotated[int, metrics.BACKUP_READ]
    seconds: Annotated[float, metrics.BACKUP_SECONDS]
    problems: list[str] = []
    notes: list[str] = []


def backup(
    settings: Settings,
    connect_redis: Connect = buffer.client,
    *,
    skip: Collection[str] = (),
    whole: bool = False,
) -> BackupResult:
    """Make a backup set. Safe to repeat, and to kill at any moment: what was sent is not sent again.

    ``skip`` names parts to leave out. ``whole``: read every file and compare every object, and write those again
    that are damaged; otherwise only what has changed since the set before is read.

    Raises:
        LockTaken: another backup runs, or a step of the pipeline does not end.
        FirehoseError: ``FIREHOSE_BACKUP`` is not set or its key is wrong; a part cannot be read.
        ServiceUnavailable: Redis, ClickHouse or the store does not answer.
    """
    began, started, lake = datetime.now(UTC), time.monotonic(), settings.lake_path
    with lock(lake):
        kept = Backup(settings, begin=True, compare=whole)
        latest = kept.latest()
        earlier = None if whole else latest
        groups: dict[str, Group] = {}
        notes = [_add_airflow(settings, kept, groups)] if airflow.PART not in skip else []
        if redis.PART not in skip:
            with buffer.connected(settings, connect_redis) as client:
                groups[redis.PART] = redis.copy(client, kept)
        migrations = 0 if clickhouse.PART in skip else _add_clickhouse(settings, kept, groups, earlier)
        groups[options.PART], secrets = options.copy(settings, kept)
        copied = _copy_lake(lake, kept, earlier)
        groups |= {f"{LAKE}/{name}": group for name, group in copied.groups.items()}
        gone = expired.carried(lake, kept, latest, copied.groups)
        groups |= {f"{expired.PART}/{name}": group for name, group in gone.items()}
        made = BackupSet(
            began=began,
            moment=datetime.now(UTC),
            version=_version(),
            groups=groups,
            secrets=secrets,
            migrations=migrations,
            notes=[note for note in notes if note] + [f"left out: {part}" for part in sorted(skip)],
            problems=copied.problems,
        )
        kept.write(made)
    result = BackupResult(
        name=made.name,
        files=sum(group.files for group in groups.values()),
        size=sum(group.bytes for group in groups.values()),
        sent=kept.objects.sent,
        sent_bytes=kept.objects.sent_bytes,
        read=copied.read_files,
        seconds=round(time.monotonic() - started, 1),
        problems=sorted(made.problems.values()),
        notes=made.notes,
    )
    log.info("backup made", set=made.name, files=result.files, sent=result.sent, sent_bytes=result.sent_bytes)
    return result


def lock(lake: LakePath) -> AbstractContextManager[object]:
    """Keep other backups, verifications and prunings of this lake out."""
    return (locks_folder(lake) / "backup.lock").lock(wait_s=0)


def _add_airflow(settings: Settings, kept: Backup, groups: dict[str, Group]) -> str:
    group, note = airflow.copy(settings, kept)
    if group:
        groups[airflow.PART] = group
    return note


def _add_clickhouse(settings: Settings, kept: Backup, groups: dict[str, Group], earlier: BackupSet | None) -> int:
    before = earlier.of(clickhouse.PART) if earlier else {}
    with clickhouse_errors(), closing(connect(settings)) as client:
        copied = clickhouse.copy(client, kept, before)
        groups |= {f"{clickhouse.PART}/{table}": group for table, group in copied.items()}
        return clickhouse.migrations_of(client)


def _copy_lake(lake: LakePath, kept: Backup, earlier: BackupSet | None) -> LakeCopy:
    """Two looks beside the running pipeline, of which the first may take long; the last ones at rest."""
    copied = LakeCopy(lake, kept, earlier)
    copied.look()
    copied.look()
    with at_rest(lake, _REST_S):
        for _ in range(_LOOKS):
            if not copied.look():
                return copied
    raise ServiceUnavailable(f"{lake} is written to all the time, so no moment of it can be copied; repeat later")


def _version() -> str:
    try:
        return version("bluesky-firehose")
    except PackageNotFoundError:  # as in the containers, into which the files are copied
        return ""
