"""The lake's areas: the folders beside the hour files, one name for each, and the names of earlier versions.

Whatever needs one of these folders asks here. Each name begins with ``_`` or ``.``, so that tools which read the
lake's root as a data set see hour files only. Must not: know what lies in an area, write anything.
"""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Final, Protocol, Self, TypeVar

from firehose.errors import LakeOutdated, RestoreUnfinished
from ingester.contract import wire


class Folder(Protocol):
    """A path of any storage, which gives the path of a key below it."""

    def __truediv__(self, key: str, /) -> Self: ...  # as paths have it


class File(Folder, Protocol):
    """One that may be asked for."""

    def exists(self) -> bool: ...


F = TypeVar("F", bound=Folder)


class Area(StrEnum):
    """A folder of the lake that holds no hour files."""

    RAW = wire.LAKE_RAW  # what was drained from Redis, by batch, with a manifest
    COVERAGE = wire.LAKE_COVERAGE  # records of gaps, by batch
    STAGED = "_staged"  # validated rows that wait to be published
    QUARANTINE = "_quarantine"  # events that no type's rules accept, by batch
    QUALITY = "_quality"  # results of validations, and their pages
    LEDGER = "_ledger"  # what each published batch stored
    HOURS = "_hours"  # the record of each hour file
    ASIDE = "_aside"  # hour files that a rebuild replaced
    AUDIT = "_audit"  # what maintenance has removed, and why
    ALERTS = "_alerts"  # which alerts are firing, and since when
    COHORTS = "_cohorts"  # accounts of studies, by name
    ICEBERG = "_iceberg"  # tables over closed hours for tools that read Iceberg
    IMPORTS = "_imports"  # what imports have read of an earlier system, until its day is a batch, and which files
    REBUILD = "_rebuild"  # scratch space of a rebuild that runs
    LOCKS = ".locks"  # the same in all versions, so that each notices the other at work

    def of(self, lake: F) -> F:
        """This area's folder in a lake; it need not exist."""
        return lake / self


#: In a lake's root, and in a home, while a restore puts files there: it names the set.
RESTORING: Final = "_restoring.json"

#: What earlier versions called these areas; `firehose upgrade-lake` renames them, in this order.
EARLIER_NAMES: Final = {
    area: area.removeprefix("_")
    for area in (Area.RAW, Area.COVERAGE, Area.STAGED, Area.QUARANTINE, Area.QUALITY, Area.LEDGER)
}


def earlier_areas(lake: Path) -> dict[Area, Path]:
    """The folders of a lake that still have the name of an earlier version."""
    return {area: lake / name for area, name in EARLIER_NAMES.items() if (lake / name).is_dir()}


def require_whole(lake: File) -> None:
    """See that no restore is under way in a lake, wherever it is stored.

    Raises:
        RestoreUnfinished: one is, or was and did not end.
    """
    if (lake / RESTORING).exists():
        raise RestoreUnfinished(
            f"{lake} holds a part of a backup: a restore is under way, or was killed; then repeat firehose restore"
        )


def require_current(lake: Path) -> None:
    """The same for a folder; and that nothing in it has the name of an earlier version, and would be overlooked.

    Raises:
        LakeOutdated: something has.
        RestoreUnfinished: see :func:`require_whole`.
    """
    require_whole(lake)
    if found := earlier_areas(lake):
        names = ", ".join(f"{path.name}/" for path in found.values())
        raise LakeOutdated(
            f"{lake} has the folder names of an earlier version ({names}); nothing was written. Stop whatever "
            "still runs with that version, then rename them: firehose upgrade-lake"
        )
