"""Maintenance of the lake of the settings: its plan, and its steps: close hours, verify them, remove, share.

One at a time: a lock keeps others out. All steps may be repeated, and killed at any moment. Must not: decide.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from contextlib import AbstractContextManager
from datetime import UTC, datetime
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import msgspec

from firehose import metrics
from firehose.batch import budget
from firehose.batch.lock import locks_folder
from firehose.lake import closing, settled, verification
from firehose.lake.layout import HourFile
from firehose.maintenance import hour_files, removal
from firehose.maintenance import plan as plans
from firehose.maintenance.facts import Backup, Policy, Tier
from firehose.maintenance.hour_files import Limits
from firehose.maintenance.plan import Chosen, Kept, Plan, Removal
from firehose.maintenance.survey import Survey
from firehose.maintenance.tiers.aside import Asides
from firehose.maintenance.tiers.base import AgedTier
from firehose.maintenance.tiers.hours import Hours
from firehose.maintenance.tiers.logs import Logs
from firehose.maintenance.tiers.quality import Qualities
from firehose.maintenance.tiers.quarantine import Quarantines
from firehose.maintenance.tiers.raw import Raws
from firehose.maintenance.tiers.tables import Tables
from firehose.progress import tracked
from firehose.quality.pages import write_front_page
from firehose.settings import Settings
from firehose.store import LakePath
from ingester.contract.logs import get_logger

if TYPE_CHECKING:
    from firehose.iceberg.share import Shared

log = get_logger(__name__)


class Closed(msgspec.Struct, frozen=True, kw_only=True):
    """What a closing has done. ``open`` files are for the next one; ``problems`` are those that stay open."""

    closed: Annotated[int, metrics.CLOSED_FILES]
    saved: Annotated[int, metrics.CLOSED_SAVED]
    open: Annotated[int, metrics.TO_CLOSE]
    problems: list[str] = []


class Checked(msgspec.Struct, frozen=True, kw_only=True):
    """What a check has done. ``left`` files are for the next one; ``problems`` are those that are not sound."""

    verified: Annotated[int, metrics.VERIFIED_FILES]
    verified_rows: Annotated[int, metrics.VERIFIED_ROWS]
    left: Annotated[int, metrics.TO_VERIFY]
    problems: list[str] = []


class Expired(msgspec.Struct, frozen=True, kw_only=True):
    """What was removed and freed, and what stays although its time is over, by tier; what of that to look at."""

    removed: Annotated[dict[str, int], metrics.EXPIRED]
    freed: Annotated[dict[str, int], metrics.FREED]
    kept: Annotated[dict[str, int], metrics.KEPT]
    disk_used: Annotated[float, metrics.DISK_USED]
    alarming: list[str] = []


class Maintenance:
    """The maintenance of one lake. ``by``: who does it, for the audit log. ``logs``: folders of log files.

    ``backup``: what its last verified set holds; None: no backup is set.
    """

    def __init__(
        self,
        settings: Settings,
        by: str,
        *,
        logs: Sequence[Path] = (),
        backup: Backup | None = None,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._settings, self._by, self._backup, self._clock = settings, by, backup, clock
        self._lake: LakePath = settings.lake_path
        self._policy = Policy.of(settings)
        self._raws = Raws(self._lake, self._policy, by, backup, clock)
        aged: dict[Tier, AgedTier] = {
            Tier.HOURS: Hours(settings, self._policy, backup, clock),
            Tier.QUARANTINE: Quarantines(self._lake, by),
            Tier.QUALITY: Qualities(self._lake),
            Tier.ASIDE: Asides(self._lake),
            Tier.TABLES: Tables(settings),
            Tier.LOGS: Logs(logs),
        }
        self._aged = {tier: of for tier, of in aged.items() if self._policy.keep[tier]}

    def plan(self) -> Plan:
        """What there is to do now. Reads only.

        Raises:
            CorruptLake: a ledger entry cannot be read.
            ServiceUnavailable: days of tables are to be removed, and ClickHouse does not answer.
        """
        if not self._settings.iceberg:
            return self._plan()
        from firehose.iceberg import share  # pyiceberg takes most of a second

        return msgspec.structs.replace(self._plan(), shares=share.due(self._lake))

    def _plan(self) -> Plan:
        raws = list(Survey(self._lake, self._backup).raws())
        items = chain.from_iterable(tier.items() for tier in self._aged.values())
        disk = self._lake.disk()
        said = f"{self._lake}: {budget.said(self._settings, disk)}" if disk else ""
        closes = self._chosen(closing.closable(self._lake, self._clock(), self._policy.quiet).files)
        return plans.make(raws, items, self._policy, self._clock(), closes, said)

    def close(self, seconds: float) -> Closed:
        """Close hours, the oldest first, until there is none left or the time is over.

        Raises:
            LockTaken: another maintenance is at work.
            WorkerLost: a process died; what it had closed stays so.
        """
        with self._alone():
            found = closing.closable(self._lake, self._clock(), self._policy.quiet)
            if found.settled != settled.read(self._lake):
                settled.write(self._lake, found.settled)
            hours = self._chosen(found.files)
            each = hour_files.each(_close, self._lake, hours, self._limits(seconds))
            done = list(tracked(each, "closing hours", "files", total=len(hours)))
        problems = [outcome.problem for outcome in done if outcome.problem]
        saved, left = sum(outcome.amount for outcome in done), len(hours) - len(done)
        log.info("hours closed", files=len(done) - len(problems), saved=saved, left=left, problems=len(problems))
        return Closed(closed=len(done) - len(problems), saved=saved, open=left, problems=problems)

    def check(self, seconds: float) -> Checked:
        """Verify hour files, the oldest first, until there is none left or the time is over.

        Raises:
            LockTaken: another maintenance is at work.
            WorkerLost: a process died; what it had verified stays so.
        """
        with self._alone():
            checks = self._plan().checks
            each = hour_files.each(_verify, self._lake, checks, self._limits(seconds))
            done = list(tracked(each, "verifying hours", "files", total=len(checks)))
        problems = [outcome.problem for outcome in done if outcome.problem]
        rows, left = sum(outcome.amount for outcome in done), len(checks) - len(done)
        sound = len(done) - len(problems)
        log.info("hour files verified", files=sound, rows=rows, left=left, problems=len(problems))
        return Checked(verified=sound, verified_rows=rows, left=left, problems=problems)

    def expire(self) -> Expired:
        """Remove all that the plan of this moment names.

        Raises:
            LockTaken: another maintenance is at work.
        """
        with self._alone():
            plan = self._plan()
            tiers = {Tier.RAW: self._raws, **self._aged}
            done, kept = removal.remove(self._lake, tiers, plan.removals, self._by)
            if any(one.tier is Tier.QUALITY for one in done):
                write_front_page(self._lake)
            locks_folder(self._lake).forget_locks()
        stays = [*plan.kept, *kept]
        log.info("expired", removed=len(done), bytes=sum(one.bytes for one in done), kept=len(stays))
        disk = self._lake.disk()
        return Expired(
            removed=_count(done),
            freed=_bytes(done),
            kept=_count(stays),
            disk_used=round(disk.share, 4) if disk else 0.0,
            alarming=[f"{one.tier} {one.what}: {one.why}" for one in stays if one.alarming],
        )

    def share(self) -> Shared | None:
        """Bring the Iceberg tables up to the closed hours; None: the settings want none.

        Raises:
            LockTaken: another maintenance is at work.
            DiskFailed: the disk is full, read-only or broken; each table is as it was, or as it is to be.
        """
        if not self._settings.iceberg:
            return None
        from firehose.iceberg import share

        with self._alone():
            done = share.follow(self._lake, self._clock())
        log.info("iceberg tables follow", hours=done.shared, taken=done.taken, behind=done.behind)
        return done

    def _chosen(self, files: Sequence[HourFile]) -> list[Chosen]:
        return [Chosen(file, file.path(self._lake).size()) for file in files]

    def _limits(self, seconds: float) -> Limits:
        return Limits(self._settings.maintenance_processes, seconds)

    def _alone(self) -> AbstractContextManager[object]:
        return (locks_folder(self._lake) / "maintenance.lock").lock(wait_s=0)


def _close(lake: LakePath, file: HourFile) -> int:
    done = closing.close(lake, file)
    return done.before - done.bytes


def _verify(lake: LakePath, file: HourFile) -> int:
    return verification.verify(lake, file).rows


def _count(found: Iterable[Removal | Kept]) -> dict[str, int]:
    return dict(Counter(str(one.tier) for one in found))


def _bytes(found: Iterable[Removal]) -> dict[str, int]:
    freed: Counter[str] = Counter()
    for one in found:
        freed[str(one.tier)] += one.bytes
    return dict(freed)
