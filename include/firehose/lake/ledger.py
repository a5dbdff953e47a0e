"""The batch ledger: one JSON file a published batch, written last. What is not in it, is not published.

``_ledger/date=YYYY-MM-DD/batch=<id>.json``; a rerun replaces the entry and moves ``published_at`` on.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import date, datetime
from typing import Annotated, Any

import msgspec

from firehose import metrics
from firehose.areas import Area, F
from firehose.batch.interval import Batch
from firehose.errors import CorruptLake
from firehose.lake import layout
from firehose.lake.layout import HourFile
from firehose.store import LakePath, Listed


class LedgerCounts(msgspec.Struct, frozen=True, kw_only=True):
    """One type's events in one batch: received = good + quarantined + duplicates, and good = stored.

    ``good`` is computed from the validation, ``stored`` is counted in the hour files. ``displaced`` counts
    rows of *later* batches that this run replaced with its own copy of the same event, as happens when
    batches are published out of order: they were counted as stored there. A rerun has none to replace, so
    the hour files keep what each batch has lost (:func:`firehose.lake.footers.displaced`).
    """

    received: Annotated[int, metrics.RECEIVED]
    good: Annotated[int, metrics.GOOD]
    quarantined: Annotated[int, metrics.QUARANTINED]
    duplicates: Annotated[int, metrics.DUPLICATES]
    stored: Annotated[int, metrics.STORED]
    displaced: Annotated[int, metrics.DISPLACED] = 0


class Rebuilt(msgspec.Struct, frozen=True, kw_only=True):
    """An hour file in which the batch has rows was made again from the raw batches, and why.

    ``user``: of an hour that is by user (:mod:`firehose.lake.layout`).

    ``rows`` of this batch are in it now. ``lost`` counts those that this batch had stored and that could not be
    made again; publishing the batch again counts it again.
    """

    hour: str
    record_type: str
    at: datetime
    reason: str
    rows: Annotated[int, metrics.REBUILT]
    lost: Annotated[int, metrics.LOST] = 0
    user: str = layout.FLAT

    def is_of(self, file: HourFile) -> bool:
        """Tell whether it was this file."""
        return (self.hour, self.record_type, self.user) == (layout.hour_name(file.hour), *file[1:])


class LedgerEntry(msgspec.Struct, frozen=True, kw_only=True):
    """One published batch. ``hours`` maps ``2026-11-23T20`` to the types that the batch has touched in it.

    ``users``: of those that are by user in an hour, the users whose files it has touched, by hour and type.

    ``recorded``: the hour files that it touched have a record (:mod:`firehose.lake.records`). Entries of earlier
    versions do not say so. ``types``: the record types that the version which published knew; versions that say
    nothing knew :data:`firehose.records.registry.FIRST_TYPES`. ``rows_sha256`` is the digest of the staged
    rows that were published, as the validation's result has it; empty: neither took it.
    """

    batch: str
    start: datetime
    end: datetime
    published_at: datetime
    counts: dict[str, LedgerCounts]
    hours: dict[str, list[str]]
    recorded: bool = False
    rebuilt: list[Rebuilt] = []
    types: list[str] = []
    rows_sha256: str = ""
    users: dict[str, dict[str, list[str]]] = {}

    @property
    def files(self) -> list[HourFile]:
        """The hour files that the batch has touched."""
        return [
            HourFile(layout.parse_hour(name), record_type, user)
            for name, record_types in self.hours.items()
            for record_type in record_types
            for user in self.users.get(name, {}).get(record_type, [layout.FLAT])
        ]

    def was_rebuilt(self, file: HourFile) -> bool:
        """Tell whether an hour file that the batch had written was made again since."""
        return any(rebuilt.is_of(file) for rebuilt in self.rebuilt)


def named(files: Iterable[HourFile]) -> dict[str, Any]:
    """The ``hours`` and ``users`` of an entry, for these hour files."""
    hours: dict[str, list[str]] = {}
    users: dict[str, dict[str, list[str]]] = {}
    for file in sorted(files):
        name = layout.hour_name(file.hour)
        hours[name] = [*dict.fromkeys([*hours.get(name, ()), file.record_type])]
        if file.user:
            users.setdefault(name, {}).setdefault(file.record_type, []).append(file.user)
    return {"hours": hours, "users": users}


def entry_path(lake: F, batch: Batch) -> F:
    """Where the entry of a batch lies."""
    return _folder(lake) / f"date={batch.start:%Y-%m-%d}" / f"batch={batch.id}.json"


def read_entry(path: LakePath) -> LedgerEntry | None:
    """One entry, or None where there is no file.

    Raises:
        CorruptLake: the file is not a ledger entry.
    """
    try:
        return msgspec.json.decode(path.read_bytes(), type=LedgerEntry)
    except FileNotFoundError:
        return None
    except msgspec.MsgspecError as error:
        raise CorruptLake(
            f"{path}: not a ledger entry ({error}); restore it from a backup, or remove it and clear the "
            "batch's run"
        ) from error


def listed_entry(lake: LakePath, listed: Listed) -> LedgerEntry | None:
    """The entry that was listed, as :func:`read_entry` gives it."""
    return read_entry(_folder(lake) / listed.key)


def entry_paths(lake: LakePath) -> list[LakePath]:
    """Where the entries are, in the order of their intervals."""
    return _folder(lake).find("date=*/batch=*.json")


def listed_entries(lake: LakePath) -> dict[str, Listed]:
    """The batches that have an entry, in the order of their intervals, as a listing shows their entries."""
    name = re.compile(r"date=\d{4}-\d\d-\d\d/batch=([^/]+)\.json")
    found = ((name.fullmatch(each.key), each) for each in _folder(lake).listing())
    return {match[1]: each for match, each in found if match}


def listed_day(lake: LakePath, day: date) -> dict[str, Listed]:
    """The same of the batches that start on a day. It looks at nothing else, however long the ledger is."""
    name = re.compile(r"batch=([^/]+)\.json")
    folder = f"date={day}"
    found = ((name.fullmatch(each.key), each) for each in (_folder(lake) / folder).listing())
    return {match[1]: each._replace(key=f"{folder}/{each.key}") for match, each in found if match}


def ledger_days(lake: LakePath) -> list[date]:
    """The days on which batches of the ledger start, in order."""
    folders = _folder(lake).folders("date=????-??-??")
    return sorted(date.fromisoformat(path.name.removeprefix("date=")) for path in folders)


def read_day(lake: LakePath, day: date) -> list[LedgerEntry]:
    """The entries of the batches that start on a day, in order.

    Raises:
        CorruptLake: a file is not a ledger entry.
    """
    paths = (_folder(lake) / f"date={day}").find("batch=*.json")
    return [entry for path in paths if (entry := read_entry(path))]


def read_ledger(lake: LakePath) -> list[LedgerEntry]:
    """All entries, in the order of their intervals.

    Raises:
        CorruptLake: a file is not a ledger entry.
    """
    return [entry for path in entry_paths(lake) if (entry := read_entry(path))]


def stored_rows(entries: Iterable[LedgerEntry], record_type: str) -> int:
    """Rows of a type that these batches have stored, less those that a rebuild could not make again."""
    stored = 0
    for entry in entries:
        stored += entry.counts[record_type].stored if record_type in entry.counts else 0
        stored -= sum(rebuilt.lost for rebuilt in entry.rebuilt if rebuilt.record_type == record_type)
    return stored


def _folder(lake: F) -> F:
    return Area.LEDGER.of(lake)


def write_entry(path: LakePath, entry: LedgerEntry) -> None:
    """Write an entry durably: from here on the batch counts as published."""
    path.write(msgspec.json.format(msgspec.json.encode(entry)))
