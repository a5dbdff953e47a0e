"""Matches the two sides, a part of the URIs at a time, and counts what is where.

Must not: read the stores or the lake (old_side.py, new_side.py), say what explains a difference (reasons.py).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from datetime import date

from firehose.legacy.compare.filing import day_of, moment_at
from firehose.legacy.compare.imports import Imports
from firehose.legacy.compare.new_side import NewSide, Row
from firehose.legacy.compare.old_side import OldSide, Spooled
from firehose.legacy.compare.outcome import COMPARED, Counts, Example, Found
from firehose.legacy.compare.reasons import Reasons
from firehose.legacy.normalise import Fields, differences, of_old
from firehose.legacy.record import OldRecord

_LONGEST = 300


class Matching:
    """The counts by day and type. ``unimported`` has the numbers of the files with a record that no import has."""

    def __init__(self, reasons: Reasons, imports: Imports, days: set[date]) -> None:
        self.counts: dict[date, dict[str, Counts]] = {day: defaultdict(Counts) for day in days}
        self.unimported: set[int] = set()
        self.imports: dict[date, set[str]] = defaultdict(set)
        self._reasons, self._imports = reasons, imports

    def match(self, old: OldSide, new: NewSide) -> None:
        """Match every part."""
        for part in sorted({*old.records.buckets(), *new.rows.buckets()}):
            copies: dict[str, list[Spooled]] = defaultdict(list)
            for spooled in old.records.read(part):
                copies[spooled.key].append(spooled)
            rows: dict[str, list[Row]] = defaultdict(list)
            for row in new.rows.read(part):
                rows[row.key].append(row)
            missing = self._missing([each for group in copies.values() for each in group])
            for key, group in copies.items():
                self._of_old(group, rows.pop(key, []), missing)
            for left in rows.values():
                self._only_new(left)

    def _missing(self, records: Sequence[Spooled]) -> set[int]:
        """The ids (of the objects) of records that no import has; their files are noted."""
        missing = set()
        for each, key in zip(records, self._imports.find([each.old for each in records]), strict=True):
            if key is None:
                self.unimported.add(each.file)
                missing.add(id(each))
            else:
                self.imports[day_of(each.filed_us)].add(key)
        return missing

    def _of_old(self, copies: list[Spooled], rows: Sequence[Row], missing: set[int]) -> None:
        copies.sort(key=lambda each: (each.filed_us, each.old.path, each.old.place))
        of = copies[0]
        record_type = COMPARED.get(of.old.collection)
        if record_type is None:  # counted by the day; of these nothing is compared but the import
            return
        counts = self.counts[day_of(of.filed_us)][record_type]
        counts.copies += len(copies) - 1
        counts.unimported += sum(id(each) in missing for each in copies)
        same = [row for row in rows if row.fields is not None]
        if same:
            counts.both += 1
            self._compare(counts, copies, same)
        elif why := self._reasons.of_old(of, record_type):
            counts.explain(why)
        else:
            counts.count(_example(of.old, Found.ONLY_OLD, of.filed_us))

    def _compare(self, counts: Counts, copies: Sequence[Spooled], rows: Sequence[Row]) -> None:
        differ: dict[str, tuple[object, object]] = {}
        for each in copies:
            for name, values in _nearest(of_old(each.old), rows).items():
                differ.setdefault(name, (_shown(values[0]), _shown(values[1])))
        if differ:
            counts.count(_example(copies[0].old, Found.DIFFERS, copies[0].filed_us, differ))

    def _only_new(self, rows: Sequence[Row]) -> None:
        row = min((row for row in rows if row.wanted), key=lambda row: row.time_us, default=None)
        if row is None or (day := day_of(row.time_us)) not in self.counts:
            return
        counts = self.counts[day][row.record_type]
        if why := self._reasons.of_new(row):
            counts.explain(why)
        else:
            uri, at = row.key.split(" ", 1)[1], moment_at(row.time_us)
            counts.count(Example(uri=uri, found=Found.ONLY_NEW, at=at))


def _nearest(old: Fields, rows: Iterable[Row]) -> dict[str, tuple[object, object]]:
    """The differences from the row that differs least: a record may be created, deleted and created again."""
    return min((differences(old, row.fields or {}) for row in rows), key=len)


def _example(
    old: OldRecord, found: Found, at_us: int, fields: dict[str, tuple[object, object]] | None = None
) -> Example:
    return Example(uri=old.uri, found=found, at=moment_at(at_us), path=old.path, fields=fields or {})


def _shown(value: object) -> object:
    return value[:_LONGEST] + "…" if isinstance(value, str) and len(value) > _LONGEST else value
