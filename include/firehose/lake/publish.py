"""The publish step: a validated batch's good rows into their hour files, then the ledger entry.

Safe to repeat and to be killed at any point: each hour file is replaced as a whole, an hour's own file before its
neighbours lose copies to it, and the entry is written last. Writers of one hour exclude each other.
"""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime
from pathlib import Path

import msgspec
import pyarrow as pa
from filelock import FileLock

from firehose import crash, files
from firehose.batch.interval import Batch
from firehose.batch.lock import alone, locks_folder
from firehose.errors import CorruptBatch
from firehose.lake import edges, layout
from firehose.lake.hourfile import merge
from firehose.lake.ledger import LedgerCounts, LedgerEntry, entry_path, read_entry, write_entry
from firehose.lake.notes import Merged, commits_done, concerns, taken
from firehose.lake.staged import Commit, commits, left, parts_of
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

log = logging.getLogger(__name__)


class PublishResult(msgspec.Struct, frozen=True, kw_only=True):
    """What a publication hands on. ``files`` are relative to the lake."""

    stored: int
    duplicates: int
    files: list[str]
    ledger: str


@alone
def publish(settings: Settings, batch: Batch) -> PublishResult:
    """Publish a validated batch.

    Raises:
        CorruptBatch: the batch was not drained, or its good rows are not all accounted for.
        CorruptLake: an hour file cannot be read.
    """
    lake = settings.lake_path
    validated = staged_result(lake, batch) or _validate_again(settings, batch)
    ledger = entry_path(lake, batch)
    earlier = read_entry(ledger)
    touched: dict[int, set[str]] = {}
    counts: dict[str, LedgerCounts] = {}
    for record_type, raw in validated.counts.items():
        merged, hours = _publish_type(lake, batch, record_type, _hours_of(earlier, record_type))
        for hour in hours:
            touched.setdefault(hour, set()).add(record_type)
        counts[record_type] = _conserved(batch, record_type, raw, merged)
    crash.reached(crash.Point.HOURS_DONE)
    write_entry(ledger, _entry(batch, counts, touched))
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


def _publish_type(lake: Path, batch: Batch, record_type: str, before: set[int]) -> tuple[list[Merged], set[int]]:
    """Merge one type's staged rows into their hours; ``before``: hours that an earlier run has touched.

    Returns what became of the rows, and the hours that the batch has touched by now.
    """
    staged = staged_slices(lake, batch, record_type)
    for one in staged:
        _check(staged_path(lake, batch, record_type, one.number), one)
    source = hashlib.sha256("".join(one.sha256 for one in staged).encode()).hexdigest()
    merged, touched = [], set(before)
    for hour in sorted(before | {int(hour) for one in staged for hour in one.rows}):
        parts = parts_of(lake, batch, staged, hour)
        if parts or concerns(layout.hour_file(lake, record_type, hour), batch.start):
            outcome, hours = _publish_hour(lake, batch, record_type, Commit(hour, parts), source)
            merged.append(outcome)
            touched |= hours
    return merged, touched


def _check(path: Path, described: SliceResult) -> None:
    if files.sha256(path) != described.sha256:
        raise CorruptBatch(f"{path}: differs from what was validated; nothing of it is published: clear validate")


def _publish_hour(
    lake: Path, batch: Batch, record_type: str, whole: Commit, source: str
) -> tuple[Merged, set[int]]:
    """Merge the rows of an hour, commit by commit. A run that was killed has left its commits in the hour file.

    Only then do the neighbours lose their later copies, always anew: the killed run may not have come so far.
    """
    hour = whole.hour
    beside = edges.neighbours(hour, (rows["time_us"] for rows in whole.read(["time_us"])))
    met = [edges.edge(lake, record_type, hour, neighbour) for neighbour in beside]
    with _locked(lake, record_type, {hour, *beside}):
        done = _merge_hour(layout.hour_file(lake, record_type, hour), batch, record_type, whole, source, met)
        for at in met:
            edges.displace(at, batch.start, source)
        lost = {at.neighbour: one for at in met if (one := taken(at.there, batch.start, hour))}
    # What an earlier run took is not this run's count, but its hour has changed.
    done.append(Merged(0, 0, sum(one.rows for one in lost.values() if one.source == source)))
    return Merged(*(sum(getattr(one, name) for one in done) for name in Merged.__struct_fields__)), {hour, *lost}


def _merge_hour(
    path: Path, batch: Batch, record_type: str, whole: Commit, source: str, met: list[edges.Edge]
) -> list[Merged]:
    """What became of an hour's rows, commit by commit; those that the hour file holds are not merged again."""
    done = commits_done(path, batch.start, source)
    rest = left(whole.parts, done)
    if rest is None:
        done, rest = [], list(whole.parts)
    todo = list(commits(whole.hour, rest))
    if not todo and not done:
        todo = [Commit(whole.hour, [])]  # what an earlier run stored has to go
    if not todo:
        files.settle(path)  # the ledger is to rely on what an earlier run did, perhaps its last act
    for commit in todo:
        held = [edges.held(at, commit.read, batch.start) for at in met]
        done.append(
            merge(
                path,
                record_type,
                batch.start,
                commit.read,
                source=source,
                number=len(done),
                elsewhere=pa.concat_arrays([pa.array([], pa.string()), *held]),
            )
        )
    return done


@contextmanager
def _locked(lake: Path, record_type: str, hours: set[int]) -> Iterator[None]:
    """Keep other writers out of these hours' files. In the order of time, or two writers wait for each other."""
    with ExitStack() as held:
        for hour in sorted(hours):
            held.enter_context(FileLock(locks_folder(lake) / f"{record_type}-{layout.hour_name(hour)}.lock"))
        yield


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


def _entry(batch: Batch, counts: dict[str, LedgerCounts], touched: dict[int, set[str]]) -> LedgerEntry:
    return LedgerEntry(
        batch=batch.id,
        start=batch.start,
        end=batch.end,
        published_at=datetime.now(UTC),
        counts=counts,
        hours={layout.hour_name(hour): sorted(types) for hour, types in sorted(touched.items())},
    )
