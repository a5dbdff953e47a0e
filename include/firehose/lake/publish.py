"""The publish step: a validated batch's good rows into their hour files, then the ledger entry.

Safe to repeat and to be killed at any point: each hour file is replaced as a whole, an hour's own file before its
neighbours lose copies to it, and the entry is written last. Nothing is written over a file that is not what its
record says.
"""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import msgspec

from firehose import crash, files, metrics
from firehose.batch.interval import Batch
from firehose.batch.lock import alone
from firehose.errors import CorruptBatch
from firehose.lake import layout
from firehose.lake.adopt import begin
from firehose.lake.commit import HourCommit, check, commit, plan
from firehose.lake.ledger import LedgerCounts, LedgerEntry, entry_path, read_entry, write_entry
from firehose.lake.notes import Merged
from firehose.lake.staged import Commit, parts_of
from firehose.lake.watch import known_since
from firehose.quality.result import (
    SliceResult,
    TypeCounts,
    ValidateResult,
    staged_folder,
    staged_path,
    staged_result,
    staged_slices,
)
from firehose.settings import Settings


class PublishResult(msgspec.Struct, frozen=True, kw_only=True):
    """What a publication hands on. ``files`` are relative to the lake."""

    stored: Annotated[int, metrics.STORED]
    duplicates: Annotated[int, metrics.DUPLICATES]
    files: list[str]
    ledger: str


@alone
def publish(settings: Settings, batch: Batch) -> PublishResult:
    """Publish a validated batch.

    Raises:
        CorruptBatch: the batch was not drained, or its good rows are not all accounted for.
        LakeChanged: an hour file is missing or is another one; nothing is written.
        CorruptLake: an hour file or its record cannot be read.
    """
    lake = settings.lake_path
    validated = staged_result(lake, batch) or _validate_again(settings, batch)
    ledger = entry_path(lake, batch)
    earlier = read_entry(ledger)
    begin(lake)
    work = {kind: _planned(lake, batch, kind, _hours_of(earlier, kind)) for kind in validated.counts}
    known = known_since(lake)
    for one in (one for commits in work.values() for one in commits):
        check(lake, one, known)
    touched: dict[int, set[str]] = {}
    counts: dict[str, LedgerCounts] = {}
    for record_type, raw in validated.counts.items():
        done = [commit(lake, batch, one, known) for one in work[record_type]]
        for hour in _hours_of(earlier, record_type).union(*(one.touched for one in done)):
            touched.setdefault(hour, set()).add(record_type)
        counts[record_type] = _conserved(batch, record_type, raw, [one.merged for one in done])
    crash.reached(crash.Point.HOURS_DONE)
    write_entry(ledger, _entry(batch, counts, touched, earlier))
    for path in sorted(staged_folder(lake, batch).iterdir()):
        path.unlink()
        crash.reached(crash.Point.STAGED_REMOVED)
    return PublishResult(
        stored=sum(count.stored for count in counts.values()),
        duplicates=sum(count.duplicates for count in counts.values()),
        files=[
            str(layout.hour_file(lake, record_type, hour).relative_to(lake))
            for hour, types in sorted(touched.items())
            for record_type in sorted(types)
        ],
        ledger=str(ledger),
    )


def _validate_again(settings: Settings, batch: Batch) -> ValidateResult:
    """The rows are published already, and so no longer staged; or their validation has not ended."""
    from firehose.quality.validate import validate  # Great Expectations costs seconds: only if needed

    return validate(settings, batch)


def _planned(lake: Path, batch: Batch, record_type: str, before: set[int]) -> list[HourCommit]:
    """What a type's staged rows do to their hours; ``before``: hours that an earlier run has touched.

    Raises:
        CorruptBatch: a staged file is not what was validated.
    """
    staged = staged_slices(lake, batch, record_type)
    for one in staged:
        _check(staged_path(lake, batch, record_type, one.number), one)
    source = hashlib.sha256("".join(one.sha256 for one in staged).encode()).hexdigest()
    hours = sorted(before | {int(hour) for one in staged for hour in one.rows})
    return [plan(lake, record_type, Commit(hour, parts_of(lake, batch, staged, hour)), source) for hour in hours]


def _check(path: Path, described: SliceResult) -> None:
    if files.sha256(path) != described.sha256:
        raise CorruptBatch(f"{path}: differs from what was validated; nothing of it is published: clear validate")


def _hours_of(entry: LedgerEntry | None, record_type: str) -> set[int]:
    if entry is None:
        return set()
    return {layout.parse_hour(hour) for hour, types in entry.hours.items() if record_type in types}


def _conserved(batch: Batch, record_type: str, raw: TypeCounts, merged: list[Merged]) -> LedgerCounts:
    stored, duplicates = sum(one.stored for one in merged), sum(one.duplicates for one in merged)
    if raw.good != stored + duplicates:
        raise CorruptBatch(
            f"batch {batch.id}, {record_type}: of {raw.good} good rows {stored} were stored and {duplicates} were "
            "duplicates; the ledger is not written: clear the run, and report this"
        )
    return LedgerCounts(
        received=raw.raw,
        good=raw.good - duplicates,
        quarantined=raw.quarantined,
        duplicates=duplicates,
        stored=stored,
        displaced=sum(one.displaced for one in merged),
    )


def _entry(
    batch: Batch, counts: dict[str, LedgerCounts], touched: dict[int, set[str]], earlier: LedgerEntry | None
) -> LedgerEntry:
    # The rows are counted anew, so whatever a rebuild had lost of them is in these counts.
    rebuilt = [msgspec.structs.replace(one, lost=0) for one in earlier.rebuilt] if earlier else []
    return LedgerEntry(
        batch=batch.id,
        start=batch.start,
        end=batch.end,
        published_at=datetime.now(UTC),
        counts=counts,
        hours={layout.hour_name(hour): sorted(types) for hour, types in sorted(touched.items())},
        recorded=True,
        rebuilt=rebuilt,
    )
