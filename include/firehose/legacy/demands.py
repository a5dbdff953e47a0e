"""What each stage of the move from the old system demands, looked at in the lake and the services as they are now.

Must not: change anything, know which stage is on record (stage.py).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from pathlib import Path
from typing import Final

import msgspec

from firehose.batch.coverage import known_gaps
from firehose.batch.gaps import lines, open_gaps
from firehose.legacy.cleanup import trash
from firehose.legacy.compare import kept
from firehose.legacy.imports.collect import batches, days, unpublished
from firehose.readers import Mode, in_force
from firehose.settings import Settings
from firehose.store import LakePath
from firehose.warehouse.client import connect
from firehose.warehouse.migrate import migrate

#: Gaps of this time count, as in `firehose status`.
_GAPS: Final = timedelta(days=30)


class Stage(StrEnum):
    """As docs/migration.md has them, in order."""

    OLD = "old"
    PARALLEL = "parallel"
    BOTH = "both"
    NEW = "new"
    REMOVED = "removed"


class Check(msgspec.Struct, frozen=True, kw_only=True):
    """What was looked at, and what is wrong with it; empty: nothing."""

    name: str
    fault: str


def checks(settings: Settings, wanted: Stage, *, back: bool = False) -> list[Check]:
    """Everything that a stage demands, each looked at now. Changes nothing.

    Raises:
        ServiceUnavailable: Redis or ClickHouse does not answer.
        CorruptLake: a file of the lake cannot be read.
    """
    names = _BACK[wanted] if back else _FORWARD[wanted]
    return [Check(name=name, fault=_CHECKS[name](settings, wanted)) for name in names]


def _readers(settings: Settings, wanted: Stage) -> str:
    modes = in_force(settings.readers, datetime.now(UTC).date())
    right = {
        Stage.PARALLEL: modes == {Mode.LEGACY},
        Stage.BOTH: Mode.BOTH in modes,
        Stage.NEW: modes == {Mode.NEW},
        Stage.REMOVED: modes == {Mode.NEW},
    }
    mode = {Stage.PARALLEL: Mode.LEGACY, Stage.BOTH: Mode.BOTH}.get(wanted, Mode.NEW)
    if right[wanted]:
        return ""
    return (
        f"FIREHOSE_READERS={settings.readers} shows other rows of today: set it to {mode}, then firehose migrate"
    )


def _views(settings: Settings, wanted: Stage) -> str:
    del wanted
    with closing(connect(settings)) as client:
        left = migrate(client, settings, dry_run=True)
    outdated = [*left.migrations, *left.views]
    return (
        f"{len(outdated)} are not as the settings want them ({outdated[0]}): firehose migrate" if outdated else ""
    )


def _imported(settings: Settings, wanted: Stage) -> str:
    del wanted
    found, left = unpublished(settings.lake_path)
    if not found:
        return "nothing was imported: firehose legacy import PATH"
    return (
        f"{len(left)} days are read and not published ({left[0]} first): repeat firehose legacy import"
        if left
        else ""
    )


def _loaded(settings: Settings, wanted: Stage) -> str:
    del wanted
    lake = settings.lake_path
    made = {batch.id for day in days(lake) for batch in batches(lake, day)}
    with closing(connect(settings)) as client:
        loaded = {name for (name,) in client.query("SELECT DISTINCT id FROM ops.batches").result_rows}
    left = sorted(made - loaded)
    return f"{len(left)} batches of imports are not loaded ({left[0]} first): firehose summaries" if left else ""


def _compared(settings: Settings, wanted: Stage) -> str:
    del wanted
    newest = kept.newest(settings.lake_path)
    if not newest:
        return "nothing was compared: firehose legacy compare PATH"
    for result in newest:
        if not result.passed:
            why = result.problems[0] if result.problems else f"{result.day}: only some types were compared"
            return f"{result.root}: {why}: see to it, then firehose legacy compare {result.root}"
    return ""


def _gaps(settings: Settings, wanted: Stage) -> str:
    del wanted
    still = lines(open_gaps(known_gaps(settings, since=(datetime.now(UTC) - _GAPS).date())))
    return (
        f"{len(still)} of the last 30 days are open, the newest: {still[-1]}: firehose coverage" if still else ""
    )


def _cleaned(settings: Settings, wanted: Stage) -> str:
    del wanted
    for root, path in _compared_files(settings.lake_path):
        if (root / path).exists():
            return f"{root / path} is still there: firehose legacy cleanup {root} --do, and see what it says stays"
    return ""


def _restored(settings: Settings, wanted: Stage) -> str:
    del wanted
    for root, path in _compared_files(settings.lake_path):
        if not (root / path).exists():
            held = any(each.key == path for folder in trash.folders(root) for each in trash.read(folder).files)
            do = f"firehose legacy restore {root}" if held else "removed for good: restore it from its backup"
            return f"{root / path} is not there: {do}"
    return ""


def _compared_files(lake: LakePath) -> Iterator[tuple[Path, str]]:
    """Root and path of every file that a comparison has registered."""
    for result in kept.newest(lake):
        root = Path(result.root)
        for day in kept.days(lake, root):
            for file in kept.files(lake, root, day):
                yield root, file.path


_CHECKS: Final[dict[str, Callable[[Settings, Stage], str]]] = {
    "readers": _readers,
    "views": _views,
    "import": _imported,
    "loading": _loaded,
    "comparison": _compared,
    "gaps": _gaps,
    "cleanup": _cleaned,
    "restore": _restored,
}
_SHOWN: Final = ("readers", "views")
_WHOLE: Final = (*_SHOWN, "import", "loading")
_FORWARD: Final[dict[Stage, tuple[str, ...]]] = {
    Stage.OLD: (),
    Stage.PARALLEL: _WHOLE,
    Stage.BOTH: (*_WHOLE, "comparison"),
    Stage.NEW: (*_WHOLE, "comparison", "gaps"),
    Stage.REMOVED: (*_WHOLE, "comparison", "cleanup"),
}
#: On the way back nothing need be proven but that what is read then is there.
_BACK: Final[dict[Stage, tuple[str, ...]]] = {
    Stage.OLD: (),
    Stage.PARALLEL: _SHOWN,
    Stage.BOTH: _SHOWN,
    Stage.NEW: (*_SHOWN, "restore"),
    Stage.REMOVED: (),
}
