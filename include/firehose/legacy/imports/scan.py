"""Reads the files of the old system that no part has yet, or that have changed since. Safe to repeat.

Must not: know batches, change anything of the source.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from datetime import date
from pathlib import Path
from typing import Final

import msgspec

from firehose.areas import Area
from firehose.errors import FirehoseError
from firehose.legacy.filing import lines_of, refused_line
from firehose.legacy.imports import parts
from firehose.legacy.imports.parts import Part, PartWriter
from firehose.legacy.record import Refused
from firehose.legacy.stores import Found, read, walk
from firehose.progress import tracked
from firehose.store import LakePath

#: Records of a part, about: what a killed import reads again.
_RECORDS: Final = 250_000


class Scanned(msgspec.Struct, frozen=True, kw_only=True):
    """What a scan read: new or changed files, their records and days, and what it refused (path, place, why)."""

    files: int
    records: int
    days: list[date]
    refused: list[tuple[str, str, str]]


def scan(lake: LakePath, root: Path) -> Scanned:
    """Read what is new below ``root``.

    Raises:
        FirehoseError: something is of a shape that the old system never wrote; nothing is imported.
    """
    with (Area.LOCKS.of(lake) / "imports.lock").lock():
        return _scan(lake, root)


def _scan(lake: LakePath, root: Path) -> Scanned:
    known: dict[str, tuple[int, int]] = {}
    count = 0
    for part in parts.parts(lake):
        known |= {path: (size, changed) for path, size, changed in part.files}
        count += 1
    new = 0
    for found in _files(root):  # all names are looked at before any file is read
        new += known.get(found.path) != (found.size, found.mtime_ns)
    files = (found for found in _files(root) if known.get(found.path) != (found.size, found.mtime_ns))
    waiting = iter(tracked(files, "reading the old system's files", "files", total=new))
    done = records = 0
    days: set[str] = set()
    refused: list[tuple[str, str, str]] = []
    while made := _part(lake, root, waiting, f"part-{count:06}"):
        count, done, records = count + 1, done + len(made.files), records + made.records
        days |= {spot.day for spot in made.spots}
        refused += made.refused
    return Scanned(
        files=done, records=records, days=sorted(date.fromisoformat(day) for day in days), refused=refused
    )


def _files(root: Path) -> Iterator[Found]:
    for listed in walk(root):
        if isinstance(listed, Refused):
            raise _unknown(listed)
        if isinstance(listed, Found):
            yield listed


def _part(lake: LakePath, root: Path, waiting: Iterator[Found], name: str) -> Part | None:
    """Read some files as one part; None: there are no more."""
    read_files: list[tuple[str, int, int]] = []
    refused: list[tuple[str, str, str]] = []
    records, now_us = 0, time.time_ns() // 1000
    with parts.frames_path(lake, name).replacing() as draft, draft.open("wb") as out:
        writer = PartWriter(out)
        for found in waiting:
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
            if records >= _RECORDS:
                break
        writer.flush()
    if not read_files:
        parts.frames_path(lake, name).discard()
        return None
    part = Part(name=name, files=read_files, records=records, spots=writer.spots, refused=refused)
    parts.write(lake, part)
    return part


def _unknown(refused: Refused) -> FirehoseError:
    where = f"{refused.path}#{refused.place}" if refused.place else refused.path
    return FirehoseError(
        f"{where}: {refused.reason}. The old system never wrote this shape, so nothing is imported: move it "
        "away, or tell the maintainers what it is"
    )
