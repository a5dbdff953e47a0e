"""A comparison from its beginning to its end: the old side, the lake's side, the matching, what is kept.

Must not: know a format, a file of the lake, a word of the page.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Final

from firehose.batch.lock import locks_folder
from firehose.legacy.compare import kept
from firehose.legacy.compare.filing import us
from firehose.legacy.compare.imports import Imports
from firehose.legacy.compare.kept import ComparedFile
from firehose.legacy.compare.match import Matching
from firehose.legacy.compare.new_side import NewSide
from firehose.legacy.compare.old_side import OldSide
from firehose.legacy.compare.outcome import COMPARED, Comparison, Counts, DayResult, Thresholds, first
from firehose.legacy.compare.page import page
from firehose.legacy.compare.reasons import Reasons, lake_time
from firehose.settings import Settings

#: The old system counts as down if it received nothing from anybody for so long.
QUIET_S: Final = 900
#: The lake is read this many hours beyond the days: the two sides see an event at other moments.
MARGIN_HOURS: Final = 2
_ALL: Final = frozenset(COMPARED.values())


def compare(
    settings: Settings,
    root: Path,
    *,
    begin: date | None = None,
    end: date | None = None,
    types: frozenset[str] = _ALL,
    thresholds: Thresholds | None = None,
    quiet_s: int = QUIET_S,
) -> Comparison:
    """Compare the stores below ``root`` with the lake, from the day ``begin`` to before ``end``.

    If every type is compared, each day's result is kept in the lake.

    Raises:
        FirehoseError: ``root`` is not a folder.
        CorruptLake: a file of the lake cannot be read.
        LockTaken: another comparison is at work.
    """
    lake = settings.lake_path
    with (
        (locks_folder(lake) / "legacy-compare.lock").lock(wait_s=0),
        tempfile.TemporaryDirectory(prefix="firehose-compare-") as scratch,
    ):
        old = OldSide(root, Path(scratch), begin, end)
        old.read(types)
        days = set(old.days)
        if begin and end:
            days |= {begin + timedelta(days=number) for number in range((end - begin).days)}
        hours = _hours(days)
        new = NewSide(lake, Path(scratch), *hours)
        new.read(old, types)
        heard = lake_time(lake, types)
        reasons = Reasons(heard, new.expired_hours(types), old.receipts(), quiet_s)
        matching = Matching(reasons, Imports(lake), days)
        matching.match(old, new)
        made = [
            DayResult(
                day=day,
                root=str(root.resolve()),
                compared_at=datetime.now(UTC),
                thresholds=thresholds or Thresholds(),
                scope=old.accounts.counts,
                types={name: _settled(matching.counts[day].get(name, Counts())) for name in sorted(types)},
                others=old.others.get(day, 0),
                imports=sorted(matching.imports[day]),
                whole=types == _ALL,
                heard_us=heard.listened_us(day),
            )
            for day in sorted(days)
        ]
        if types == _ALL:
            for result in made:
                files = _registered(old, result.day, matching.unimported)
                kept.write(lake, root, result, files, page([result]))
    return Comparison(
        root=str(root.resolve()), days=made, refused=old.refused, refusals=old.refusals, files=old.read_files
    )


def _registered(old: OldSide, day: date, unimported: set[int]) -> Iterator[ComparedFile]:
    for file in old.files.read(str(day)):
        yield ComparedFile(
            path=file.path,
            size=file.size,
            mtime_ns=file.mtime_ns,
            sha256=file.sha256,
            days=file.days,
            records=file.records,
            refused=file.refused,
            imported=file.number not in unimported,
        )


def _settled(counts: Counts) -> Counts:
    counts.examples = first(counts.examples)
    counts.fields, counts.explained = dict(sorted(counts.fields.items())), dict(sorted(counts.explained.items()))
    return counts


def _hours(days: set[date]) -> tuple[int, int]:
    if not days:
        return 0, 0
    first_hour, last_hour = (us(day) // 3_600_000_000 for day in (min(days), max(days)))
    return first_hour - MARGIN_HOURS, last_hour + 24 + MARGIN_HOURS
