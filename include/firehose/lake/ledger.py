"""The batch ledger: one JSON file a published batch, written last. What is not in it, is not published.

``ledger/date=YYYY-MM-DD/batch=<id>.json``; a rerun replaces the entry and moves ``published_at`` on.
"""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

import msgspec

from firehose import files
from firehose.batch.interval import Batch
from firehose.errors import CorruptLake

AREA = "ledger"


class LedgerCounts(msgspec.Struct, frozen=True, kw_only=True):
    """One type's events in one batch: received = good + quarantined + duplicates, and good = stored.

    ``good`` is reckoned from the validation, ``stored`` is counted in the hour files. ``displaced`` counts
    rows of *later* batches that this run replaced with its own copy of the same event, as happens when
    batches are published out of order: they were counted as stored there. A rerun has none to replace, so
    the hour files keep what each batch has lost (:func:`firehose.lake.notes.displaced`).
    """

    received: int
    good: int
    quarantined: int
    duplicates: int
    stored: int
    displaced: int = 0


class LedgerEntry(msgspec.Struct, frozen=True, kw_only=True):
    """One published batch. ``hours`` maps ``2026-11-23T20`` to the types that the batch has touched in it."""

    batch: str
    start: datetime
    end: datetime
    published_at: datetime
    counts: dict[str, LedgerCounts]
    hours: dict[str, list[str]]


def entry_path(lake: Path, batch: Batch) -> Path:
    """Where the entry of a batch lies."""
    return lake / AREA / f"date={batch.start:%Y-%m-%d}" / f"batch={batch.id}.json"


def read_entry(path: Path) -> LedgerEntry | None:
    """One entry, or None where there is none.

    Raises:
        CorruptLake: the file is no ledger entry.
    """
    try:
        return msgspec.json.decode(path.read_bytes(), type=LedgerEntry)
    except FileNotFoundError:
        return None
    except msgspec.MsgspecError as error:
        raise CorruptLake(
            f"{path}: no ledger entry ({error}); restore it from a backup, or remove it and clear the batch's run"
        ) from error


def entry_paths(lake: Path) -> list[Path]:
    """Where the entries are, in the order of their intervals."""
    return sorted((lake / AREA).glob("date=*/batch=*.json"))


def read_ledger(lake: Path) -> list[LedgerEntry]:
    """All entries, in the order of their intervals.

    Raises:
        CorruptLake: a file is no ledger entry.
    """
    return [entry for path in entry_paths(lake) if (entry := read_entry(path))]


def write_entry(path: Path, entry: LedgerEntry) -> None:
    """Write an entry durably: from here on the batch counts as published."""
    files.write_bytes(path, msgspec.json.format(msgspec.json.encode(entry)))
