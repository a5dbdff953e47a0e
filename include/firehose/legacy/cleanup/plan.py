"""What may go: units whose every file is as it was compared, on days that all passed and that a backup holds.

Whatever is not certain stays, with its reason. Reads only. Must not: move anything.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import date
from pathlib import Path
from typing import Protocol

import msgspec

from firehose.lake import records
from firehose.legacy.cleanup.units import there, unit_of
from firehose.legacy.compare import kept
from firehose.legacy.compare.kept import ComparedFile
from firehose.legacy.compare.stores import OldFile
from firehose.store import LakePath


class Holds(Protocol):
    """What a verified backup holds of the lake; see :class:`firehose.backup.coverage.Coverage`."""

    def holds_file(self, key: str, sha256: str) -> bool: ...


class Unit(msgspec.Struct, frozen=True, kw_only=True):
    """What goes together. ``why`` it stays; empty: it may go."""

    name: str
    day: date
    files: list[ComparedFile]
    why: str

    @property
    def bytes(self) -> int:
        """Of all its files."""
        return sum(file.size for file in self.files)


def plan(lake: LakePath, root: Path, backup: Holds | None) -> Iterator[Unit]:
    """Every unit that was compared and is still there, by its last day. What was not compared is in none."""
    against = {day: _against(lake, root, day, backup) for day in kept.days(lake, root)}
    waiting: dict[str, list[tuple[date, ComparedFile]]] = {}
    for day in sorted(against):
        for file in kept.files(lake, root, day) if _is_whole(lake, root, day) else ():
            unit = unit_of(file.path)
            if unit == file.path and file.days == [str(day)]:
                yield from _decided(root, unit, [(day, file)], against.get)
            else:
                waiting.setdefault(unit, []).append((day, file))
    for unit, seen in sorted(waiting.items()):
        yield from _decided(root, unit, seen, against.get)


def _is_whole(lake: LakePath, root: Path, day: date) -> bool:
    return kept.read(lake, root, day) is not None


def _against(lake: LakePath, root: Path, day: date, backup: Holds | None) -> str:
    """Why no file with a record of this day may go; empty: nothing is against it."""
    result = kept.read(lake, root, day)
    if result is None:
        return f"{day} was not compared to the end"
    if not result.passed:
        return f"the comparison of {day} did not pass"
    if backup is None:
        return "there is no verified backup"
    if not result.imports:
        return f"no import has brought a record of {day}"
    for key in result.imports:
        record = records.read(lake / key).now
        if record is None or record.is_gone:
            return f"{key} is not in the lake any more"
        if not backup.holds_file(key, record.sha256):
            return f"no verified backup holds {key} as it is now"
    return ""


def _decided(
    root: Path, unit: str, seen: list[tuple[date, ComparedFile]], against: Callable[[date], str | None]
) -> Iterator[Unit]:
    now = list(there(root, unit))
    files = {file.path: file for _, file in seen}
    if not any(path in files for path in now):
        return  # it went before
    why = _why(root, now, seen, against)
    yield Unit(name=unit, day=max(day for day, _ in seen), files=[files[path] for path in sorted(files)], why=why)


def _why(
    root: Path, now: list[str], seen: list[tuple[date, ComparedFile]], against: Callable[[date], str | None]
) -> str:
    compared: dict[str, set[str]] = {}
    for day, file in seen:
        compared.setdefault(file.path, set()).add(str(day))
    for path in now:
        if path not in compared:
            return f"{path} was not compared, and goes with it or not at all"
    for day, file in seen:
        if left := sorted(set(file.days) - compared[file.path]):
            return f"{file.path} has records of {left[0]}, which was not compared"
        if (said := against(day)) is None or said:
            return said or f"{day} was not compared"
        if file.refused:
            return f"{file.path} has {file.refused} records that could not be read"
        if not file.imported:
            return f"{file.path} has records that no import has brought to the lake"
        if OldFile(file.path, file.size, file.mtime_ns).unchanged(root) != file.sha256:
            return f"{file.path} has changed since it was compared"
    return ""
