"""Removes sets that are not to be kept, and then objects that no set needs.

Must not: remove an object while any set that needs it is there.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated

import msgspec

from firehose import metrics
from firehose.backup.objects import FOLDER
from firehose.backup.run import lock
from firehose.backup.sets import Backup, moment_of
from firehose.backup.verify import latest_verified
from firehose.settings import Settings
from ingester.contract.logs import get_logger

log = get_logger(__name__)


class PruneResult(msgspec.Struct, frozen=True, kw_only=True):
    """The sets that were removed, and how many objects that no set needs, unfinished ones included."""

    sets: list[str]
    objects: Annotated[int, metrics.BACKUP_PRUNED]


def prune(settings: Settings) -> PruneResult:
    """Remove what is not to be kept. Safe to repeat, and to kill at any moment.

    Raises:
        CorruptBackup: a set that is kept cannot be read, so nothing says what it needs: no object is removed.
        LockTaken: a backup runs.
        FirehoseError: see :class:`firehose.backup.sets.Backup`.
    """
    with lock(settings.lake_path):
        kept = Backup(settings)
        names = kept.names()
        wanted = to_keep(names, settings.backup_keep_days, settings.backup_keep_weeks)
        if verified := latest_verified(kept):  # what may be removed from the lake is said by this one
            wanted.add(verified.name)
        needed = _needed(kept, sorted(wanted))
        gone = [name for name in names if name not in wanted]
        for name in gone:
            kept.remove(name)
        objects = [name for name in kept.target.names(FOLDER) if name.rpartition("/")[2] not in needed]
        for name in objects:
            kept.target.remove(name)
        count = len(objects) + kept.target.discard_unfinished()
    log.info("backups pruned", sets=len(gone), objects=count)
    return PruneResult(sets=gone, objects=count)


def to_keep(names: Sequence[str], days: int, weeks: int) -> set[str]:
    """Of the latest days with sets, and of the latest weeks, the last set of each."""
    of_day, of_week = dict[str, str](), dict[str, str]()
    for name in sorted(names):
        moment = moment_of(name)
        of_day[f"{moment:%Y-%m-%d}"] = of_week[f"{moment:%G-%V}"] = name
    last_days, last_weeks = sorted(of_day, reverse=True)[:days], sorted(of_week, reverse=True)[:weeks]
    return {*(of_day[day] for day in last_days), *(of_week[week] for week in last_weeks)}


def _needed(kept: Backup, names: Sequence[str]) -> set[str]:
    needed: set[str] = set()
    for name in names:
        for group in kept.read(name).groups.values():
            if group.listing not in needed:
                needed.add(group.listing)
                needed |= {piece.name for file in kept.files(group) for piece in file.pieces}
    return needed
