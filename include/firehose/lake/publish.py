"""The publish step: a validated batch's good rows into their hour files, then the ledger entry.

Safe to repeat and to be killed at any point: each hour file is replaced as a whole, an hour's own file before its
neighbours lose copies to it, and the entry is written last. Nothing is written over a file that is not what its
record says.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from datetime import UTC, datetime
from functools import partial
from itertools import chain
from typing import Annotated

import msgspec

from firehose import crash, metrics
from firehose.batch.interval import Batch
from firehose.batch.lock import exclusive_per_batch
from firehose.errors import CorruptBatch
from firehose.lake import users
from firehose.lake.adopt import begin
from firehose.lake.commit import HourPlan, check, commit, plan
from firehose.lake.footers import Merged
from firehose.lake.layout import HourFile
from firehose.lake.ledger import LedgerCounts, LedgerEntry, entry_path, named, read_entry, write_entry
from firehose.lake.published import still_published
from firehose.lake.staged import HourRows, parts_of
from firehose.lake.users import Layout, Rule
from firehose.lake.watch import known_since
from firehose.quality.outcome import SliceResult, StagedRows, TypeCounts, ValidateResult
from firehose.quality.result import staged_folder, staged_path, staged_result, staged_slices
from firehose.records.registry import REGISTRY, shares_queue
from firehose.settings import Settings
from firehose.store import LakePath


class PublishResult(msgspec.Struct, frozen=True, kw_only=True):
    """The answer of a publication. ``files`` are relative to the lake."""

    stored: Annotated[int, metrics.STORED]
    duplicates: Annotated[int, metrics.DUPLICATES]
    files: list[str]
    ledger: str


@exclusive_per_batch
def publish(settings: Settings, batch: Batch) -> PublishResult:
    """Publish a validated batch.

    A batch that is published already, and whose rows are no longer staged, is answered for by the ledger.

    Raises:
        NotStaged: its rows are not staged, and the lake does not show that they have been published.
        CorruptBatch: its good rows are not all accounted for.
        LakeChanged: an hour file is missing or is another one; nothing is written.
        CorruptLake: an hour file or its record cannot be read.
    """
    lake = settings.lake_path
    ledger = entry_path(lake, batch)
    earlier = read_entry(ledger)
    begin(lake)
    if (validated := staged_result(lake, batch)) is None:
        published = still_published(lake, batch, earlier)
        _remove_staged(lake, batch)
        return _answer(lake, batch, published)
    rule = Rule(settings.user_files_events, settings.user_files_most)
    known = known_since(lake)
    work = _work(lake, batch, validated, earlier, partial(users.settled, rule=rule, known=known))
    check(lake, chain.from_iterable(work.values()), known)
    touched: set[HourFile] = set()
    counts: dict[str, LedgerCounts] = {}
    for record_type, planned in work.items():
        done = [commit(lake, batch, hour_plan, known) for hour_plan in planned]
        touched.update(_files_of(earlier, record_type), *(outcome.touched for outcome in done))
        if raw := validated.counts.get(record_type):
            counts[record_type] = _conserved(batch, record_type, raw, [outcome.merged for outcome in done])
    crash.reached(crash.Point.HOURS_DONE)
    entry = _entry(batch, counts, touched, earlier, validated.rows_sha256)
    write_entry(ledger, entry)
    _remove_staged(lake, batch)
    return _answer(lake, batch, entry)


def _remove_staged(lake: LakePath, batch: Batch) -> None:
    for path in staged_folder(lake, batch).find("*"):
        path.discard()
        crash.reached(crash.Point.STAGED_REMOVED)


def _answer(lake: LakePath, batch: Batch, entry: LedgerEntry) -> PublishResult:
    return PublishResult(
        stored=sum(count.stored for count in entry.counts.values()),
        duplicates=sum(count.duplicates for count in entry.counts.values()),
        files=[file.path(lake).key_in(lake) for file in entry.files],
        ledger=str(entry_path(lake, batch)),
    )


def _work(
    lake: LakePath,
    batch: Batch,
    validated: ValidateResult,
    earlier: LedgerEntry | None,
    layout_of: Callable[[LakePath, str, int], Layout],
) -> dict[str, list[HourPlan]]:
    """Plan what the staged rows do to the hours of each type, in the order of types.

    A catch-all comes after the other types of its queue: rows that an earlier version put into its files lie in
    those of their own type before they leave it.

    Raises:
        CorruptBatch: a staged file is not what was validated.
    """
    planned: dict[str, list[HourPlan]] = {}
    hours: dict[str, set[int]] = {}
    for name, of in REGISTRY.items():
        slices = staged_slices(lake, batch, of.queue) if name in validated.counts else []
        of_type = _hours(lake, batch, name, slices)
        # A batch that an earlier version published, or began to, has rows of its queue's other types there.
        others = (hours[other.name] for other in shares_queue(name))
        hours[name] = of_type.union((file.hour for file in _files_of(earlier, name)), *others)
        layouts = {hour: layout_of(lake, name, hour) for hour in sorted(hours[name])}
        planned[name] = _planned(lake, batch, name, slices, layouts)
    return planned


def _hours(lake: LakePath, batch: Batch, record_type: str, slices: list[SliceResult]) -> set[int]:
    """The hours of a type's staged rows, whose files are checked."""
    found: set[int] = set()
    for part in slices:
        if staged := part.types.get(record_type):
            _check(staged_path(lake, batch, record_type, part.number), staged)
            found |= {int(hour) for hour in staged.rows}
    return found


def _planned(
    lake: LakePath, batch: Batch, record_type: str, slices: list[SliceResult], layouts: dict[int, Layout]
) -> list[HourPlan]:
    staged = [part.types[record_type].sha256 for part in slices if record_type in part.types]
    source = hashlib.sha256("".join(staged).encode()).hexdigest()
    return [
        plan(record_type, rows, source)
        for hour, by in layouts.items()
        for rows in HourRows(hour, parts_of(lake, batch, record_type, slices, hour), by=by).divided()
    ]


def _check(path: LakePath, described: StagedRows) -> None:
    if path.sha256() != described.sha256:
        raise CorruptBatch(f"{path}: differs from what was validated; nothing of it is published: clear validate")


def _files_of(entry: LedgerEntry | None, record_type: str) -> set[HourFile]:
    return {file for file in entry.files if file.record_type == record_type} if entry else set()


def _conserved(batch: Batch, record_type: str, raw: TypeCounts, merged: list[Merged]) -> LedgerCounts:
    stored, duplicates = sum(outcome.stored for outcome in merged), sum(outcome.duplicates for outcome in merged)
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
        displaced=sum(outcome.displaced for outcome in merged),
    )


def _entry(
    batch: Batch,
    counts: dict[str, LedgerCounts],
    touched: set[HourFile],
    earlier: LedgerEntry | None,
    rows_sha256: str,
) -> LedgerEntry:
    # The rows are counted again, so whatever a rebuild had lost of them is in these counts.
    rebuilt = [msgspec.structs.replace(rebuild, lost=0) for rebuild in earlier.rebuilt] if earlier else []
    return LedgerEntry(
        batch=batch.id,
        start=batch.start,
        end=batch.end,
        published_at=datetime.now(UTC),
        counts=counts,
        **named(touched),
        recorded=True,
        rebuilt=rebuilt,
        types=[*REGISTRY],
        rows_sha256=rows_sha256,
    )
