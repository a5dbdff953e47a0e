"""The lake's part of a set: every file, copied in groups of a day, until nothing has changed since the last look.

Must not: know what a file means, except that an hour file has a record and a raw batch a manifest.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Iterator
from itertools import groupby
from typing import Final

from firehose.areas import Area
from firehose.backup.objects import OBJECT_BYTES, File, Pack
from firehose.backup.sets import Backup, BackupSet, Group
from firehose.batch import manifest as manifests
from firehose.errors import CorruptBackup, CorruptLake
from firehose.lake import records
from firehose.store import LakePath, Listed
from ingester.contract.logs import get_logger

log = get_logger(__name__)

PART: Final = "lake"
#: What is of a process or of this moment and not of the lake; and tables that maintenance makes again.
_LEFT_OUT: Final = (f"{Area.LOCKS}/", f"{Area.REBUILD}/", f"{Area.ICEBERG}/", f"{Area.ALERTS}/")
_DAY: Final = re.compile(r"(_[a-z]+/date=[^/]+|year=\d+/month=\d+/day=\d+)/")
#: Key of an hour file.
HOUR_FILE: Final = re.compile(r"year=\d+/month=\d+/day=\d+/hour=\d+/([a-z_]+/user_did=[^/]+/)?[a-z_]+\.parquet")
# Smaller files share an object.
_SMALL_BYTES: Final = 256 * 1024
_TRIES: Final = 3


class LakeCopy:
    """A copy of a lake that is made in several looks. ``groups`` is what it has, ``problems`` what is wrong there.

    It begins with what an earlier set has: only what is not in it is read. ``problems`` has a line for each file
    that is not what its record says.
    """

    def __init__(self, lake: LakePath, backup: Backup, earlier: BackupSet | None) -> None:
        self._lake, self._backup = lake, backup
        self.groups = dict(earlier.of(PART)) if earlier else {}
        self.problems = dict(earlier.problems) if earlier else {}
        self.read_files = 0

    def look(self) -> bool:
        """Copy what is not copied yet, and forget what has gone. Returns whether there was anything."""
        changed, seen = False, set()
        for name, listed in _by_day(self._lake.listing()):
            seen.add(name)
            stamp = _stamp(listed)
            if (known := self.groups.get(name)) and known.stamp == stamp:
                continue
            changed = True
            self.groups[name] = self._backup.group(self._copied(listed, known), stamp)
        gone = self.groups.keys() - seen
        for name in gone:
            del self.groups[name]
            self.problems = {key: said for key, said in self.problems.items() if not key.startswith(name)}
        return changed or bool(gone)

    def _copied(self, listed: list[Listed], known: Group | None) -> list[File]:
        earlier = {file.key: file for file in self._earlier(known)}
        pack, files = Pack(self._backup.objects), []
        for found in listed:
            before = earlier.get(found.key)
            if before and before.stamp == found.stamp:
                files.append(before)
                continue
            self.read_files += 1
            try:
                if found.size <= _SMALL_BYTES and not HOUR_FILE.fullmatch(found.key):
                    pack.add(found.key, (self._lake / found.key).read_bytes(), found.stamp)
                else:
                    files.append(self._copy(found, before))
            except FileNotFoundError:  # gone since it was listed: the next look sees it
                continue
        pack.flush()
        return sorted([*files, *pack.files], key=lambda file: file.key)

    def _earlier(self, known: Group | None) -> list[File]:
        try:
            return self._backup.files(known) if known else []
        except CorruptBackup as error:
            log.error("files are read again", reason=error)
            return []

    def _copy(self, found: Listed, before: File | None) -> File:
        """A large file, or an hour file; one that is not the file of its record displaces no good copy."""
        self.problems.pop(found.key, None)
        for _ in range(_TRIES):
            copied = self._backup.objects.put_file(found.key, self._parts(found.key), found.stamp)
            if not (right := self._right(found.key)) or copied.sha256 in right:
                return copied
        self.problems[found.key] = f"{found.key}: is not the file of its record; see firehose verify --quick"
        return before if before and before.sha256 in right else copied

    def _right(self, key: str) -> list[str]:
        """The digests that an hour file may have; none where nothing is known of it."""
        if not HOUR_FILE.fullmatch(key):
            return []
        try:
            return [record.sha256 for record in records.read(self._lake / key) if record]
        except CorruptLake as error:
            self.problems[key] = str(error)
            return []

    def _parts(self, key: str) -> Iterator[bytes]:
        with (self._lake / key).reading() as stream:
            while part := stream.read(OBJECT_BYTES):
                yield part


def group_of(key: str) -> str:
    """The group that a file belongs to: its day and area, or its area."""
    return _day_of(key) or key.partition("/")[0]


def _day_of(key: str) -> str:
    return (_DAY.match(key) or ("", ""))[1]


def _by_day(listing: Iterable[Listed]) -> Iterator[tuple[str, list[Listed]]]:
    """The files of the lake by day and area; those of no day by area. Raw batches have a manifest, or are none."""
    others: dict[str, list[Listed]] = {}
    for name, listed in groupby(listing, lambda found: _day_of(found.key)):
        files = sorted(found for found in listed if not found.key.startswith(_LEFT_OUT))
        if not name:
            for found in files:
                others.setdefault(group_of(found.key), []).append(found)
        elif whole := _whole_batches(files) if name.startswith(f"{Area.RAW}/") else files:
            yield name, whole
    for area, files in others.items():
        yield area, sorted(files)


def _whole_batches(files: list[Listed]) -> list[Listed]:
    complete = {found.key.rpartition("/")[0] for found in files if found.key.endswith(f"/{manifests.NAME}")}
    return [found for found in files if found.key.rpartition("/")[0] in complete]


def _stamp(listed: list[Listed]) -> str:
    digest = hashlib.sha256()
    for found in listed:
        digest.update(f"{found.key}\0{found.stamp}\n".encode())
    return digest.hexdigest()
