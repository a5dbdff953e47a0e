"""Sums over all manifests and ledger entries, which only rise, also over restarts and when a batch is run again.

Lives here: the sums, and their file. A day is read again only if its listing has changed, and of the latest days
only what is new. To the total goes what a day's sum has risen by: a batch that is run again and counts less takes
nothing back. Must not: export.
"""

from __future__ import annotations

import hashlib
import time
from collections import Counter
from collections.abc import Callable, Mapping
from datetime import date, datetime, timedelta
from typing import Annotated, Any, Final, get_args, get_origin, get_type_hints

import msgspec

from firehose import metrics, observed
from firehose.areas import Area
from firehose.batch import manifest as manifests
from firehose.batch.manifest import Manifest, QueueFile
from firehose.errors import FirehoseError
from firehose.lake import ledger
from firehose.lake.ledger import LedgerCounts, LedgerEntry, Rebuilt
from firehose.store import LakePath, Listed, LocalLake
from ingester.contract.logs import get_logger
from ingester.contract.metrics import Metric

log = get_logger(__name__)

#: A series: a metric's name and the value of its label.
Series = tuple[str, str]
#: Days that are listed each time; all others once in this time (seconds): a batch of any day may be run again.
_LATEST_DAYS: Final = 2
_ALL_S: Final = 3600.0
_VERSION: Final = 1


class _State(msgspec.Struct, kw_only=True):
    """The file: the lake that it is of, each day's listing (its digest) and sums, and the totals."""

    version: int = _VERSION
    lake: str
    listings: dict[str, str] = {}
    days: dict[str, dict[str, float]] = {}
    totals: dict[str, float] = {}
    whole: bool = False


class Sums:
    """The sums of one lake, which ``file`` has, and with ``keep`` gets. Not for two processes that keep them."""

    def __init__(self, lake: LakePath, file: LocalLake, *, keep: bool = True) -> None:
        self._lake, self._file, self._keep = lake, file, keep
        self._state = _read(file, str(lake))
        self._sources = {"ledger": _Source(_ledger_days, _listed_entries, _of_entry)}
        self._sources["raw"] = _Source(_raw_days, _listed_manifests, _of_manifest)
        self._waiting: list[tuple[str, date]] = []
        self._all_at = float("-inf")

    @property
    def whole(self) -> bool:
        """True once every day was read: until then the totals are too small to be exported."""
        return self._state.whole

    def values(self) -> dict[str, dict[tuple[str, ...], float]]:
        """The totals, by the metric's name and its label."""
        found: dict[str, dict[tuple[str, ...], float]] = {metric.name: {} for metric in SUMMED}
        for field, number in self._state.totals.items():
            name, _, label = field.partition(":")
            found.setdefault(name, {})[(label,) if label else ()] = number
        return found

    def advance(self, now: datetime, seconds: float, clock: Callable[[], float] = time.monotonic) -> None:
        """Read what is new, for about ``seconds``: a lake that was never read takes several calls.

        A day with a file that cannot be read is one line in the log, and keeps its sums.
        """
        until, changed = clock() + seconds, False
        if not self._waiting and clock() - self._all_at >= _ALL_S:
            self._all_at = clock()
            self._waiting = [(name, day) for name, of in self._sources.items() for day in of.days(self._lake)]
        latest = [now.date() - timedelta(days=number) for number in range(_LATEST_DAYS)]
        for name, source in self._sources.items():
            for day in latest:
                changed |= self._read_day(name, day)
            source.forget_before(latest[-1])
        while self._waiting and clock() < until:
            name, day = self._waiting.pop()
            changed |= self._read_day(name, day)
            self._sources[name].forget_before(latest[-1])
        if not self._waiting and not self._state.whole:
            self._state.whole = changed = True
        if changed and self._keep:
            self._file.write(msgspec.json.encode(self._state))

    def _read_day(self, name: str, day: date) -> bool:
        try:
            return self._add_day(name, day)
        except FirehoseError as error:
            log.warning("day not summed", of=name, day=day, reason=error)
            return False

    def _add_day(self, name: str, day: date) -> bool:
        """Add what a day's sums have risen by; False if nothing has changed."""
        key, source = f"{name}/{day}", self._sources[name]
        listed = source.listed(self._lake, day)
        digest = hashlib.sha256(msgspec.json.encode(sorted(listed))).hexdigest()[:16]
        if self._state.listings.get(key, "") == digest or not (listed or key in self._state.days):
            return False
        before = self._state.days.get(key, {})
        counts = source.sums(self._lake, listed).items()
        sums: dict[str, float] = {f"{metric}:{label}" if label else metric: n for (metric, label), n in counts}
        for field, number in sums.items():
            self._state.totals[field] = self._state.totals.get(field, 0) + max(0, number - before.get(field, 0))
        self._state.days[key], self._state.listings[key] = sums, digest
        return True


class _Source:
    """One kind of file that is summed by day."""

    def __init__(
        self,
        days: Callable[[LakePath], list[date]],
        listed: Callable[[LakePath, date], list[Listed]],
        read: Callable[[LakePath, Listed], Mapping[Series, float]],
    ) -> None:
        self.days, self.listed, self._read = days, listed, read
        self._known: dict[Listed, Mapping[Series, float]] = {}

    def sums(self, lake: LakePath, listed: list[Listed]) -> Counter[Series]:
        """The sums of these files; those that are known are not read again."""
        total: Counter[Series] = Counter()
        for each in listed:
            if each not in self._known:
                self._known[each] = self._read(lake, each)
            total.update(self._known[each])
        return total

    def forget_before(self, day: date) -> None:
        """Forget the files of earlier days: they hardly ever change."""
        self._known = {each: read for each, read in self._known.items() if each.key >= f"date={day}"}


def _read(file: LocalLake, lake: str) -> _State:
    try:
        state = msgspec.json.decode(file.read_bytes(), type=_State)
    except FileNotFoundError:
        return _State(lake=lake)
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        log.warning("sums unreadable; the ledger is read again", file=file, reason=error)
        return _State(lake=lake)
    return state if (state.lake, state.version) == (lake, _VERSION) else _State(lake=lake)


def _ledger_days(lake: LakePath) -> list[date]:
    return ledger.ledger_days(lake)


def _listed_entries(lake: LakePath, day: date) -> list[Listed]:
    return [*ledger.listed_day(lake, day).values()]


def _raw_days(lake: LakePath) -> list[date]:
    folders = Area.RAW.of(lake).folders("date=????-??-??")
    return [date.fromisoformat(path.name.removeprefix("date=")) for path in folders]


def _listed_manifests(lake: LakePath, day: date) -> list[Listed]:
    folder = f"date={day}"
    found = (Area.RAW.of(lake) / folder).listing()
    return [each._replace(key=f"{folder}/{each.key}") for each in found if each.key.endswith(f"/{manifests.NAME}")]


def _of_entry(lake: LakePath, listed: Listed) -> Mapping[Series, float]:
    entry: LedgerEntry | None = ledger.listed_entry(lake, listed)
    counts: Counter[Series] = Counter()
    if entry is None:  # removed since it was listed
        return counts
    counts[observed.PUBLISHED.name, ""] += 1
    for record_type, found in entry.counts.items():
        counts.update(_numbers(found, record_type))
    for rebuilt in entry.rebuilt:
        counts.update(_numbers(rebuilt, rebuilt.record_type))
    return counts


def _of_manifest(lake: LakePath, listed: Listed) -> Mapping[Series, float]:
    manifest: Manifest | None = manifests.read((Area.RAW.of(lake) / listed.key).parent)
    counts: Counter[Series] = Counter()
    if manifest is None:
        return counts
    counts[metrics.MINUTES_HEARD.name, ""] += manifest.minutes_heard * int(metrics.MINUTES_HEARD.factor)
    for queue, found in manifest.queues.items():
        counts.update(_numbers(found, queue))
    return counts


def _counted(of: type[Any]) -> dict[str, Metric]:
    """The fields of a type that count, with their metrics."""
    hints = get_type_hints(of, include_extras=True).items()
    notes = ((name, note) for name, hint in hints if get_origin(hint) is Annotated for note in get_args(hint))
    return {name: note for name, note in notes if isinstance(note, Metric)}


_FIELDS: Final = {of: _counted(of) for of in (LedgerCounts, Rebuilt, QueueFile)}
#: Every metric that is a sum over the files.
SUMMED: Final = (
    *(metric for fields in _FIELDS.values() for metric in fields.values()),
    *(metrics.MINUTES_HEARD, observed.PUBLISHED),
)


def _numbers(found: LedgerCounts | Rebuilt | QueueFile, label: str) -> Mapping[Series, float]:
    return {(metric.name, label): getattr(found, name) for name, metric in _FIELDS[type(found)].items()}
