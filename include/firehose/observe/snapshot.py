"""A snapshot: all parts of what the pipeline is like, as of one moment, each one read though another cannot be.

Lives here: :class:`Snapshot`, and how it is taken. Must not: judge it, let a part's error stop another part.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any, Final, TypeVar

import msgspec
import redis

from firehose.backup.coverage import BackupState
from firehose.batch import buffer as redis_buffer
from firehose.batch.buffer import Connect
from firehose.errors import FirehoseError
from firehose.observe import batches, coverage, services, storage
from firehose.observe.answers import QueryState, queries
from firehose.observe.batches import BatchState, QualityState
from firehose.observe.buffer import ArchiveState, BufferState, archive, buffer
from firehose.observe.coverage import CoverageState
from firehose.observe.ingester import IngesterState, ingester
from firehose.observe.ledger import RecentLedger
from firehose.observe.objectives import SLOW, ObjectiveState, objectives
from firehose.observe.services import AirflowState, Certificate, SummaryState
from firehose.observe.storage import DiskState, RetentionState, StorageState
from firehose.settings import Settings
from firehose.store import LocalLake
from ingester.contract.gap import Gap
from ingester.contract.redis_access import PIPELINE

P = TypeVar("P")

DAY: Final = timedelta(hours=24)
#: Redis is said to be away if it takes longer than this for a command.
_REDIS_S: Final = 5.0


class Snapshot(msgspec.Struct, frozen=True, kw_only=True):
    """What the pipeline is like. A part that is None is not known: ``unknown`` says why, by the part's name.

    ``backup`` is None without a reason where no backup is set. ``paused``: the DAGs that are; None without a
    reason where nobody was asked who may know, which are Airflow's tasks. ``queries`` is None without a reason
    where the monitor asks ClickHouse nothing. ``trend``: objectives over days, which reads more than all else.
    """

    at: datetime
    ingester: IngesterState | None = None
    buffer: BufferState | None = None
    batches: BatchState | None = None
    quality: QualityState | None = None
    coverage: CoverageState | None = None
    summaries: SummaryState | None = None
    backup: BackupState | None = None
    retention: RetentionState | None = None
    disks: list[DiskState] | None = None
    storage: StorageState | None = None
    airflow: AirflowState | None = None
    paused: list[str] | None = None
    certificates: list[Certificate] | None = None
    archive: ArchiveState | None = None
    objectives: ObjectiveState | None = None
    queries: QueryState | None = None
    trend: ObjectiveState | None = None
    unknown: dict[str, str] = {}


#: The names of all parts.
PARTS: Final = tuple(name for name in Snapshot.__struct_fields__ if name not in ("at", "unknown"))


def quick_client(settings: Settings, role: str = PIPELINE) -> redis.Redis:
    """A client of Redis that gives up after seconds.

    Raises:
        FirehoseError, SettingsError: see :func:`firehose.batch.buffer.client`.
    """
    return redis_buffer.client(settings, role, socket_timeout=_REDIS_S, socket_connect_timeout=_REDIS_S)


class Observer:
    """Takes snapshots. Keep it between two of them, or ``file``: the entries of the ledger are read once each.

    ``connect``: see :data:`firehose.batch.buffer.Connect`. ``paused``: tells which DAGs are paused, for whoever
    may ask Airflow. ``without``: parts that are not looked at.
    """

    def __init__(
        self,
        settings: Settings,
        *,
        connect: Connect = quick_client,
        paused: Callable[[], list[str]] | None = None,
        without: frozenset[str] = frozenset(),
        file: LocalLake | None = None,
    ) -> None:
        self._settings, self._connect, self._paused, self._without = settings, connect, paused, without
        self._ledger = RecentLedger(settings.lake_path, file=file)

    @property
    def ledger(self) -> RecentLedger:
        """The entries read so far, for whoever computes more of them."""
        return self._ledger

    def look(self, now: datetime | None = None, *, without: frozenset[str] = frozenset()) -> Snapshot:
        """A snapshot as of ``now``. Never raises for a service or a file: the parts say what is not known.

        ``without``: further parts that are not looked at this time.
        """
        self._ledger.look_again()
        now = now or datetime.now(UTC)
        seen = _Look(self._settings, self._ledger, self._connect, self._paused, now).take(self._without | without)
        self._ledger.keep()
        return seen


class _Look:
    """One snapshot in the making: parts that need another part find it here."""

    def __init__(
        self,
        settings: Settings,
        ledger: RecentLedger,
        connect: Connect,
        paused: Callable[[], list[str]] | None,
        now: datetime,
    ) -> None:
        self._settings, self._ledger, self._now = settings, ledger, now
        self._connect, self._asked = connect, paused
        self._unknown: dict[str, str] = {}
        self._batches: BatchState | None = None
        self._gaps: tuple[list[Gap], str] | None = None

    def take(self, without: frozenset[str]) -> Snapshot:
        settings, ledger, now = self._settings, self._ledger, self._now
        readers: dict[str, Callable[[], object]] = {
            "coverage": self._coverage,
            "batches": self._of_batches,
            "quality": lambda: batches.quality(ledger, now, DAY),
            "ingester": lambda: self._redis(lambda client: ingester(client, now)),
            "buffer": lambda: self._redis(lambda client: buffer(client, self._events_a_frame())),
            "summaries": lambda: services.summaries(settings, ledger, now, DAY),
            "backup": lambda: storage.backup(settings),
            "retention": lambda: storage.retention(settings, ledger, now),
            "disks": lambda: storage.disks(settings),
            "storage": lambda: storage.storage(settings, ledger, now, DAY),
            "paused": self._paused,
            "certificates": lambda: services.certificates(settings),
            "archive": lambda: self._redis(lambda client: archive(client, settings, now)),
            "objectives": lambda: objectives(settings, ledger, self._known_gaps(), now),
            "queries": lambda: queries(settings, now),
            "trend": lambda: objectives(settings, ledger, self._known_gaps(), now, SLOW),
            "airflow": lambda: services.airflow(settings, now),
        }
        found: dict[str, Any] = {
            name: self._part(name, read) for name, read in readers.items() if name not in without
        }
        return Snapshot(at=now, unknown=self._unknown, **found)

    def _part(self, name: str, read: Callable[[], P]) -> P | None:
        try:
            return read()
        except FirehoseError as error:
            said = str(error)
        except Exception as error:  # noqa: BLE001 - the other parts are read, whatever is wrong with this one
            said = f"{type(error).__name__}: {' '.join(str(error).split())}"
        self._unknown[name] = f"not known, because {said}"
        return None

    def _redis(self, read: Callable[[redis.Redis], P]) -> P:
        with redis_buffer.connected(self._settings, self._connect) as client:
            return read(client)

    def _coverage(self) -> CoverageState:
        self._gaps = coverage.gaps(self._settings, self._now, self._connect)
        return coverage.coverage(self._settings, *self._gaps, self._now)

    def _of_batches(self) -> BatchState:
        self._batches = batches.batches(self._settings, self._ledger, self._known_gaps(), self._now, DAY)
        return self._batches

    def _known_gaps(self) -> list[Gap]:
        return self._gaps[0] if self._gaps else []

    def _events_a_frame(self) -> dict[str, float]:
        return self._batches.events_a_frame if self._batches else {}

    def _paused(self) -> list[str] | None:
        return self._asked() if self._asked else None
