"""Lets one table follow the lake: names for new files, one commit, and the removal of what no reader needs.

Killed at any moment it leaves a table that is right, and files that nothing names, which the next run removes.
Must not: know how many tables there are.
"""

from __future__ import annotations

from datetime import date, datetime, timedelta
from typing import Final, NamedTuple

import msgspec
from pyiceberg.table import Table
from pyiceberg.table.update.snapshot import ExpireSnapshots

from firehose import crash
from firehose.areas import Area
from firehose.errors import FirehoseError
from firehose.iceberg import columns, contents, files, versions
from firehose.iceberg.contents import Contents
from firehose.iceberg.hours import Closed, Hour, Recorded, behind, ready
from firehose.lake.layout import HourFile
from firehose.store import LakePath

#: How long a reader may go on with what it has begun to read.
KEPT: Final = timedelta(hours=24)
_FOLLOWED: Final = "followed.json"


class Followed(NamedTuple):
    """A table after a run: its hours, those of them that it took now, and hours that it is behind with."""

    hours: int
    taken: int
    behind: int


class _Days(msgspec.Struct, frozen=True):
    """The days that a table has as the lake has them, with the digests of their records; ``table``: its id."""

    table: str
    days: dict[date, str]


class Following:
    """A table, and what the records say of the hours that it may be behind with. Making one reads only."""

    def __init__(self, lake: LakePath, record_type: str, recorded: Recorded) -> None:
        self._lake, self._folder = lake, Area.ICEBERG.of(lake) / record_type
        self._type, self._recorded = record_type, recorded
        self._table, self._contents = self._read()
        self._wrong: set[int] = set()
        self._seen: dict[int, Hour] = {}
        known = self._known()
        for day, digest in recorded.days.items():
            if known.get(day) != digest:
                self._seen |= dict.fromkeys(hour for hour in self._contents.hours if self._day(hour) == day)
                self._seen |= recorded.hours(day, record_type)

    def due(self) -> dict[int, tuple[Closed, ...]]:
        """The hours that are to be taken, as they are to be then."""
        return ready(self._contents.held, self._seen)

    def run(self, now: datetime) -> Followed:
        """Bring the table up to the lake, and remove what nobody reads any more.

        Raises:
            DiskFailed: the disk is full, read-only or broken; the table is as it was, or as it is to be.
        """
        taken = self._named()
        expired = contents.superseded(self._table, now - KEPT)
        if taken or expired:
            self._commit(taken, expired)
            self._contents = contents.read(self._table)
        late = self._wrong | {hour for hour in self._seen if behind(self._contents.held, hour, self._seen[hour])}
        if self._table.metadata_location:
            versions.hint(self._folder)
            self._sweep(now)
            self._follow({self._day(hour) for hour in late})
        return Followed(len(self._contents.hours), len(taken), len(late))

    def _read(self) -> tuple[Table, Contents]:
        """The table; a new one where there is none, or it cannot be what it says."""
        there = {each.key for each in self._folder.listing()}
        found = _opened(self._folder)
        if found and found[1].named <= there:
            return found
        return versions.new(self._folder, columns.schema(self._type), columns.SPEC), Contents({}, frozenset())

    def _named(self) -> dict[int, tuple[Closed, ...]]:
        """The hours that are due, after each file of them has its name in the table."""
        while True:
            due = self.due()
            wrong = {hour for hour, of_hour in due.items() if not all(map(self._keep, of_hour))}
            if not wrong:
                return due
            self._wrong |= wrong
            self._seen |= dict.fromkeys(wrong)

    def _keep(self, closed: Closed) -> bool:
        return files.keep(self._lake, self._folder, closed)

    def _commit(self, taken: dict[int, tuple[Closed, ...]], expired: list[int]) -> None:
        """One version more, with at most one new snapshot."""
        old = {digest: each for hour in taken for digest, each in self._contents.hours.get(hour, {}).items()}
        new = {closed.record.sha256: closed for of_hour in taken.values() for closed in of_hour}
        with self._table.transaction() as transaction:
            columns.update(transaction, self._type)
            if new.keys() != old.keys():
                update = transaction.update_snapshot()
                with update.overwrite() if old.keys() - new.keys() else update.merge_append() as snapshot:
                    for digest in new.keys() - old.keys():
                        snapshot.append_data_file(files.described(self._table, new[digest]))
                    for digest in old.keys() - new.keys():
                        snapshot.delete_data_file(old[digest])
            if expired:
                ExpireSnapshots(transaction).by_ids(expired).commit()

    def _sweep(self, now: datetime) -> None:
        """Remove what neither a snapshot nor a reader's version names."""
        named = self._contents.named | contents.versions(self._table, now - KEPT)
        named |= {_FOLLOWED, f"{versions.METADATA}/{versions.HINT}"}
        metadata = self._folder / versions.METADATA
        for path in (metadata / name for name in metadata.unfinished()):
            path.discard()
        for each in self._folder.listing():
            if each.key not in named:
                (self._folder / each.key).discard()
                crash.reached(crash.Point.ICEBERG_SWEPT)

    def _known(self) -> dict[date, str]:
        try:
            said = msgspec.json.decode((self._folder / _FOLLOWED).read_bytes(), type=_Days)
        except (FileNotFoundError, msgspec.MsgspecError, UnicodeDecodeError):
            return {}
        return said.days if said.table == str(self._table.metadata.table_uuid) else {}

    def _follow(self, late: set[date]) -> None:
        days = {day: digest for day, digest in self._recorded.days.items() if day not in late}
        if days != self._known():
            said = _Days(str(self._table.metadata.table_uuid), days)
            (self._folder / _FOLLOWED).write(msgspec.json.encode(said))

    def _day(self, hour: int) -> date:
        return HourFile(hour, self._type).day


def _opened(folder: LakePath) -> tuple[Table, Contents] | None:
    """A table with its contents; None: there is none, or it is damaged."""
    try:
        table = versions.opened(folder)
        return (table, contents.read(table)) if table else None
    except FileNotFoundError:
        return None
    except (FirehoseError, OSError):
        raise
    except Exception:  # noqa: BLE001 - pyiceberg's decoder fails in any way where a file is damaged
        return None
