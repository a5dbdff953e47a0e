"""Backup sets: what of which part was there at one moment, as groups of files, and the files that say so.

``sets/<moment>.json`` is a set, written last; a group's files are listed in an object, so that a group which did
not change costs one line. ``verified/`` and ``restored/`` say what is known of sets. Must not: make sets.
"""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime
from typing import Final, TypeVar

import msgspec
import zstandard

from firehose.backup.objects import File, Objects
from firehose.backup.sealing import Sealing, open_sealing
from firehose.backup.target import Target, open_target
from firehose.errors import CorruptBackup, FirehoseError
from firehose.settings import Settings
from ingester.contract.logs import get_logger

log = get_logger(__name__)

SETS: Final = "sets"
_VERIFIED: Final = "verified"
_RESTORED: Final = "restored"
_FORMAT: Final = 1
_MOMENT: Final = "%Y%m%dT%H%M%S.%fZ"

T = TypeVar("T")


class Group(msgspec.Struct, frozen=True, kw_only=True):
    """Files that are copied and compared together. ``listing`` is the object with all of them as :class:`File`.

    ``stamp`` stands for the stamps of all: a group with the same one need not be looked into.
    """

    listing: str
    stamp: str
    files: int
    bytes: int


class BackupSet(msgspec.Struct, frozen=True, kw_only=True):
    """A set. What the pipeline had at ``began`` is in it; at ``moment`` the lake was as the set has it.

    Groups are ``lake/<folder>``, ``expired/<day>``, ``redis``, ``clickhouse/<table>``, ``airflow``, ``settings``.
    ``secrets`` names the settings that a restore needs and no backup has. ``migrations`` counts those of the
    ClickHouse. ``notes`` say what is not in the set, ``problems`` which files of the lake were not those of their
    records.
    """

    began: datetime
    moment: datetime
    version: str
    groups: dict[str, Group]
    secrets: list[str]
    migrations: int = 0
    notes: list[str] = []
    problems: dict[str, str] = {}
    format: int = _FORMAT

    @property
    def name(self) -> str:
        """Its name."""
        return self.moment.astimezone(UTC).strftime(_MOMENT)

    def of(self, part: str) -> dict[str, Group]:
        """The groups of a part, by their names within it."""
        return {name.partition("/")[2]: group for name, group in self.groups.items() if name.split("/")[0] == part}


class Verified(msgspec.Struct, frozen=True, kw_only=True):
    """All objects of the set were right: ``objects`` of them read now, the others by an earlier verification."""

    at: datetime
    objects: int
    bytes: int


class Restored(msgspec.Struct, frozen=True, kw_only=True):
    """A restore of the set ``name`` was complete, and the lake was verified: ``rows`` rows."""

    name: str
    at: datetime
    rows: int
    verdict: str


class Backup:
    """A place with its objects and sets."""

    def __init__(self, settings: Settings, *, begin: bool = False, compare: bool = False) -> None:
        self.target: Target = open_target(settings)
        self._sealing: Sealing = open_sealing(settings, self.target, begin=begin)
        self.objects = Objects(self.target, self._sealing, compare=compare)

    def names(self) -> list[str]:
        """The names of the complete sets, in the order of time."""
        return [name.removeprefix(f"{SETS}/").removesuffix(".json") for name in self.target.names(SETS)]

    def read(self, name: str) -> BackupSet:
        """A set.

        Raises:
            CorruptBackup: it cannot be read.
            FirehoseError: a later version made it.
        """
        found = self._read(_path(SETS, name), BackupSet)
        if found is None:
            raise CorruptBackup(f"{self.target}: {_path(SETS, name)} is missing")
        if found.format != _FORMAT:
            raise FirehoseError(f"{self.target}: the set {name} has a format that this version does not know")
        return found

    def latest(self, to: datetime | None = None) -> BackupSet | None:
        """The last set that can be read, of those from before a moment; None: there is none."""
        for name in reversed(self.names()):
            if to is None or moment_of(name) <= to:
                try:
                    return self.read(name)
                except CorruptBackup as error:
                    log.error("a backup set cannot be used", reason=error)
        return None

    def write(self, made: BackupSet) -> None:
        """Make a set complete: nothing of it counted before."""
        self._write(_path(SETS, made.name), made)

    def files(self, group: Group) -> list[File]:
        """The files of a group.

        Raises:
            CorruptBackup: the object that lists them is missing or damaged.
        """
        listing = zstandard.ZstdDecompressor().decompressobj().decompress(self.objects.get(group.listing))
        return msgspec.msgpack.decode(listing, type=list[File])

    def group(self, files: list[File], stamp: str) -> Group:
        """A group of these files; the list of them is kept as an object."""
        content = zstandard.ZstdCompressor(level=3).compress(msgspec.msgpack.encode(files))
        size = sum(file.size for file in files)
        return Group(listing=self.objects.put(content), stamp=stamp, files=len(files), bytes=size)

    def verified(self, name: str) -> Verified | None:
        """What is known of a set's verification; None: it was not verified."""
        return self._read(_path(_VERIFIED, name), Verified)

    def write_verified(self, name: str, found: Verified) -> None:
        """Put on record that a set was verified."""
        self._write(_path(_VERIFIED, name), found)

    def restored(self) -> Restored | None:
        """The last restore on record."""
        names = self.target.names(_RESTORED)
        return self._read(names[-1], Restored) if names else None

    def write_restored(self, done: Restored) -> None:
        """Put a restore on record."""
        self._write(_path(_RESTORED, done.at.strftime(_MOMENT)), done)

    def remove(self, name: str) -> None:
        """Remove a set, and what is known of it; its objects stay."""
        self.target.remove(_path(SETS, name))
        self.target.remove(_path(_VERIFIED, name))

    def _write(self, path: str, made: msgspec.Struct) -> None:
        text = msgspec.json.format(msgspec.json.encode(made))
        digest = hashlib.sha256(text).hexdigest().encode()
        self.target.write(path, self._sealing.seal(digest + b"\n" + text, path))

    def _read(self, path: str, kind: type[T]) -> T | None:
        try:
            digest, _, text = self._sealing.open(self.target.read(path), path).partition(b"\n")
            if hashlib.sha256(text).hexdigest().encode() != digest:
                raise CorruptBackup(f"{path}: is not what was stored there")
            return msgspec.json.decode(text, type=kind)
        except FileNotFoundError:
            return None
        except (CorruptBackup, msgspec.MsgspecError) as error:
            raise CorruptBackup(f"{self.target}: {error}") from error


def moment_of(name: str) -> datetime:
    """The moment of a set, from its name."""
    return datetime.strptime(name, _MOMENT).replace(tzinfo=UTC)


def _path(folder: str, name: str) -> str:
    return f"{folder}/{name}.json"
