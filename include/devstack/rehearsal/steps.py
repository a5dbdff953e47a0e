"""The steps of a rehearsal, as an operator takes them: each does one thing, checks it, and says so.

Must not: print, start a server (place.py).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Final, NamedTuple

from devstack.rehearsal.place import BY, Place
from devstack.rehearsal.shown import Listing, ModeOf
from firehose import files
from firehose.backup.coverage import coverage
from firehose.backup.run import PARTS, backup
from firehose.backup.verify import verify
from firehose.errors import FirehoseError
from firehose.lake import audit
from firehose.legacy.cleanup import trash
from firehose.legacy.cleanup.run import Cleaned, Cleanup
from firehose.legacy.compare.outcome import Thresholds
from firehose.legacy.compare.run import compare
from firehose.legacy.demands import Stage
from firehose.legacy.imports.run import run_import
from firehose.legacy.stage import current, move
from firehose.readers import Mode

_SHARE: Final = 0.2
#: Path below the root: size, time of change and SHA-256 of its bytes.
_Files = dict[str, tuple[int, int, str]]


class Step(NamedTuple):
    """A name, and what to do: it returns what it has checked, or raises FirehoseError."""

    name: str
    do: Callable[[], str]


class Steps:
    """All steps at one place, and what one has to remember for a later one."""

    def __init__(self, place: Place) -> None:
        self._place = place
        self._before: _Files = {}
        self._planned: Cleaned | None = None

    @property
    def _first(self) -> date:
        """The first day on which both systems listen."""
        return datetime.fromtimestamp(self._place.plan.start_us / 1e6, UTC).date()

    def __iter__(self) -> Iterator[Step]:
        """In order."""
        middle = self._first + timedelta(days=self._place.plan.days // 2)
        legacy, both, new = (self._reading(mode) for mode in (Mode.LEGACY, Mode.BOTH, Mode.NEW))
        yield Step("the old system's store", self._make)
        yield Step("the firehose beside it", self._listen)
        yield Step("import", self._import)
        yield Step("import again", self._import_again)
        yield Step("stage parallel", self._stage(Stage.PARALLEL, legacy))
        yield Step("compare", self._compare)
        yield Step("a share of the accounts", self._by_share)
        yield Step("from a day on", partial(self._by_date, middle))
        yield Step("stage both", self._stage(Stage.BOTH, both))
        yield Step("stage new", self._stage(Stage.NEW, new))
        yield Step("back to both", self._stage(Stage.BOTH, both))
        yield Step("back to parallel", self._stage(Stage.PARALLEL, legacy))
        yield Step("both once more", self._stage(Stage.BOTH, both))
        yield Step("new once more", self._stage(Stage.NEW, new))
        yield Step("compare what is from before", self._compare_before)
        yield Step("backup", self._backup)
        yield Step("cleanup, dry run", self._plan)
        yield Step("cleanup", self._clean)
        yield Step("stage removed", self._stage(Stage.REMOVED, new))
        yield Step("restore", self._restore)
        yield Step("back to new", self._stage(Stage.NEW, new))
        yield Step("back to both again", self._stage(Stage.BOTH, both))
        yield Step("back to parallel again", self._stage(Stage.PARALLEL, legacy))
        yield Step("back to the old system", self._stage(Stage.OLD, self._untouched))

    def _make(self) -> str:
        made = self._place.make_old()
        self._before = _files(self._place.old)
        kept, lost = made["kept"], made["lost"]
        days = self._place.plan.days
        return f"{kept:,} records of {days} days in {len(self._before):,} files; {lost:,} events were lost"

    def _listen(self) -> str:
        done = self._place.listen()
        wanted = self._place.plan.records
        _require(
            done.stored + done.duplicates == wanted, f"{wanted} events were sent, {done.stored} are in the lake"
        )
        return f"{wanted:,} events of the simulator are rows of the lake, in {len(done.files):,} files"

    def _import(self) -> str:
        done = run_import(self._place.settings, self._place.old)
        _require(not done.refused, f"{len(done.refused)} were refused, such as {done.refused[:1]}")
        left = done.records - done.rows - done.duplicates - done.quarantined
        _require(not left, f"{done.records} records were read, {left} of them are not accounted for")
        self._place.load()
        return (
            f"{done.records:,} records = {done.rows:,} rows + {done.duplicates:,} copies + {done.quarantined} bad"
        )

    def _import_again(self) -> str:
        done = run_import(self._place.settings, self._place.old)
        _require((done.files, done.batches) == (0, 0), f"{done.files} files were read again")
        return "it reads no file and publishes nothing"

    def _stage(self, stage: Stage, reading: Callable[[], str]) -> Callable[[], str]:
        def do() -> str:
            shown = reading()
            found = move(self._place.settings, stage, BY)
            _require(current(self._place.settings.lake_path) is stage, f"the stage on record is not {stage}")
            checks = ", ".join(check.name for check in found) or "none needed"
            return f"its checks: {checks}; {shown}"

        return do

    def _reading(self, mode: Mode) -> Callable[[], str]:
        return partial(self._read_by, mode, lambda _sample, _day: mode)

    def _read_by(self, readers: str, mode_of: ModeOf) -> str:
        self._place.read_by(readers)
        return Listing(self._place.listing).require(self._place.client, mode_of)

    def _by_share(self) -> str:
        def mode_of(sample: float, _: date) -> Mode:
            return Mode.BOTH if sample < _SHARE else Mode.LEGACY

        readers = f"both:{_SHARE:.0%},legacy"
        return f"{readers}: {self._read_by(readers, mode_of)}"

    def _by_date(self, middle: date) -> str:
        def mode_of(_: float, day: date) -> Mode:
            return Mode.LEGACY if day < middle else Mode.BOTH

        readers = f"legacy<{middle},both"
        return f"{readers}: {self._read_by(readers, mode_of)}"

    def _compare(self) -> str:
        done = compare(self._place.settings, self._place.old, begin=self._first)
        _require(not done.problems, "; ".join(done.problems[:1]))
        _require(not done.refused, "; ".join(done.refusals[:1]))
        counts = [counts for day in done.days for counts in day.types.values()]
        both, new = sum(each.both for each in counts), sum(each.only_new for each in counts)
        return f"{len(done.days)} days passed: {both:,} records in both, 0 only old, 0 differ, {new:,} only new"

    def _compare_before(self) -> str:
        """Days on which nobody listened, among them that of records without any time: imports have all of them."""
        only_imported = Thresholds(unheard=True)
        done = compare(self._place.settings, self._place.old, end=self._first, thresholds=only_imported)
        _require(not done.problems, "; ".join(done.problems[:1]))
        return f"{len(done.days)} days from before, with every record in an import"

    def _backup(self) -> str:
        made = backup(self._place.settings, skip=PARTS)
        _require(not made.problems, "; ".join(made.problems[:1]))
        found = verify(self._place.settings)
        _require(not found.damaged, "; ".join(found.damaged[:1]))
        return f"{made.files:,} files are held, {found.objects:,} objects read and found right"

    @property
    def _cleanup(self) -> Cleanup:
        settings = self._place.settings
        return Cleanup(settings, self._place.old, BY, coverage(settings))

    def _plan(self) -> str:
        self._planned = self._cleanup.plan()
        _require(self._planned.files == len(self._before), f"{_some(self._planned.stays)}")
        self._untouched()
        return f"all {self._planned.files:,} files may go, and all are still in their place"

    def _clean(self) -> str:
        done = self._cleanup.do()
        _require(done.files == len(self._before), _some(done.stays))
        there = [path for path in self._before if (self._place.old / path).exists()]
        _require(not there, f"{len(there)} files are still there, such as {there[:1]}")
        lines = [line for path in audit.log_paths(self._place.settings.lake_path) for line in audit.read(path)]
        named = {file.key for line in lines for file in line.files}
        silent = [path for path in self._before if str(self._place.old.resolve() / path) not in named]
        _require(not silent, f"the audit log does not name {silent[:1]}")
        return f"{done.files:,} files are in the trash until {done.until:%Y-%m-%d}, each named in the audit log"

    def _restore(self) -> str:
        taken = self._cleanup.restore()
        _require(not taken, f"{taken[:1]} stays in the trash")
        _require(not trash.folders(self._place.old), "something is left in the trash")
        return self._untouched()

    def _untouched(self) -> str:
        now = _files(self._place.old)
        changed = sorted(path for path in {*now, *self._before} if now.get(path) != self._before.get(path))
        _require(
            not changed, f"{len(changed)} files of the old system are not as they were, such as {changed[:1]}"
        )
        return f"all {len(now):,} files of the old system are as they were: bytes, size and time of change"


def _files(root: Path) -> _Files:
    found = {}
    for path in sorted(root.rglob("*")):
        if path.is_file():
            state = path.stat()
            found[str(path.relative_to(root))] = (state.st_size, state.st_mtime_ns, files.sha256(path))
    return found


def _some(stays: dict[str, int]) -> str:
    why, count = next(iter(stays.items()), ("files were not compared", 0))
    return f"{count} stay: {why}"


def _require(right: bool, why: str) -> None:
    if not right:
        raise FirehoseError(why)
