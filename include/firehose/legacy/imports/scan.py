"""Reads the files of the old system that no part has yet, or that have changed since. Safe to repeat.

Some files at a time are a part, and several parts are read at once, each by a process of its own. Must not: know
batches, change anything of the source.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterable, Iterator
from datetime import date
from functools import partial
from pathlib import Path
from typing import Final

import msgspec

from firehose.areas import Area
from firehose.errors import UnknownShape
from firehose.legacy.filing import lines_of, refused_line
from firehose.legacy.imports import parts
from firehose.legacy.imports.parts import Part, PartWriter
from firehose.legacy.record import Refused, Store
from firehose.legacy.stores import Found, read, walk
from firehose.progress import tracked
from firehose.quality import workers
from firehose.store import LakePath

#: Bytes of the files of a part, about: what a killed import reads again, and what one process reads while another
#: one may have nothing left. A small file counts as ``_LEAST``, and Parquet as what it is once decoded, about.
_BYTES: Final = 16 * 1024 * 1024
_LEAST: Final = 1024
_DECODED: Final = 8
#: So many files are held from when they are listed until they are read, some 100 MB; more are listed again.
_HELD: Final = 250_000
#: Less than this is read sooner than processes are forked.
_FORK_BYTES: Final = 8 * 1024 * 1024
#: Processes at most: each holds the lines that become frames.
_PROCESSES: Final = 4


class Scanned(msgspec.Struct, frozen=True, kw_only=True):
    """What a scan read: new or changed files, their records and days, and what it refused (path, place, why)."""

    files: int
    records: int
    days: list[date]
    refused: list[tuple[str, str, str]]


class _Task(msgspec.Struct, frozen=True):
    """Files that become the part of a name."""

    name: str
    files: list[Found]


def scan(lake: LakePath, root: Path, meanwhile: Callable[[], object] | None = None) -> Scanned:
    """Read what is new below ``root``. ``meanwhile`` is what this process does while several others read.

    Raises:
        UnknownShape: something is of a shape that the old system never wrote; nothing is imported.
        WorkerLost: a process died. Repeating goes on from there.
    """
    with (Area.LOCKS.of(lake) / "imports.lock").lock():
        return _scan(lake, root, meanwhile)


def _scan(lake: LakePath, root: Path, meanwhile: Callable[[], object] | None) -> Scanned:
    known: dict[str, tuple[int, int]] = {}
    for part in parts.parts(lake):
        known |= {path: (size, changed) for path, size, changed in part.files}
    held: list[Found] = []
    new = size = 0
    for found in _new(root, known):  # all names are looked at before any file is read
        new, size = new + 1, size + _weight(found)
        if new <= _HELD:
            held.append(found)
    processes = min(_PROCESSES, os.cpu_count() or 1) if size >= _FORK_BYTES else 1
    tasks = _tasks(held if new <= _HELD else _new(root, known), parts.begin(lake))
    made = workers.map_unordered(partial(_part, lake, root), tasks, processes, meanwhile=meanwhile)
    whole = Scanned(files=0, records=0, days=[], refused=[])
    for done in tracked(made, "reading the old system's files", "files", total=new, size=lambda part: part.files):
        whole = Scanned(
            files=whole.files + done.files,
            records=whole.records + done.records,
            days=sorted({*whole.days, *done.days}),
            refused=sorted([*whole.refused, *done.refused]),
        )
    return whole


def _new(root: Path, known: dict[str, tuple[int, int]]) -> Iterator[Found]:
    for listed in walk(root):
        if isinstance(listed, Refused):
            raise _unknown(listed)
        if isinstance(listed, Found) and known.get(listed.path) != (listed.size, listed.mtime_ns):
            yield listed


def _weight(found: Found) -> int:
    return max(found.size * (_DECODED if found.store is Store.PARQUET else 1), _LEAST)


def _tasks(files: Iterable[Found], number: int) -> Iterator[_Task]:
    """The files, some at a time, in their order; the first part has this number."""
    waiting: list[Found] = []
    size = 0
    for found in files:
        waiting.append(found)
        size += _weight(found)
        if size >= _BYTES:
            yield _Task(parts.name_of(number), waiting)
            number, waiting, size = number + 1, [], 0
    if waiting:
        yield _Task(parts.name_of(number), waiting)


def _part(lake: LakePath, root: Path, task: _Task) -> Scanned:
    """Read some files as one part."""
    read_files: list[tuple[str, int, int]] = []
    refused: list[tuple[str, str, str]] = []
    records, now_us = 0, time.time_ns() // 1000
    with parts.frames_path(lake, task.name).replacing() as draft, draft.open("wb") as out:
        writer = PartWriter(out)
        for found in task.files:
            for each in read(root, [found]):
                records += 1
                if not isinstance(each, Refused):
                    for line in lines_of(each, now_us):
                        writer.add(line)
                    continue
                if each.unknown:
                    raise _unknown(each)
                refused.append((each.path, each.place, each.reason))
                writer.add(refused_line(each))
            read_files.append((found.path, found.size, found.mtime_ns))
        writer.flush()
    part = Part(name=task.name, files=read_files, records=records, spots=writer.spots, refused=refused)
    parts.write(lake, part)
    return Scanned(
        files=len(read_files),
        records=records,
        days=sorted({date.fromisoformat(spot.day) for spot in writer.spots}),
        refused=refused,
    )


def _unknown(refused: Refused) -> UnknownShape:
    where = f"{refused.path}#{refused.place}" if refused.place else refused.path
    return UnknownShape(
        f"{where}: {refused.reason}. The old system never wrote this shape, so nothing is imported: move it "
        "away, or tell the maintainers what it is"
    )
