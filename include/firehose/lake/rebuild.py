"""Makes hour files again from raw batches: every batch that wrote into them, merged in order, by the usual rules.

What is there is set aside with its bytes, the ledger says what was done, and the new file takes its place as any
other does. Excludes publications of the batches and of the hours meanwhile. Safe to repeat and to be killed.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime

import msgspec

from firehose import crash, schema
from firehose.areas import Area
from firehose.batch.interval import Batch
from firehose.errors import CorruptLake, LakeChanged
from firehose.lake import layout, users, watch
from firehose.lake.adopt import watched
from firehose.lake.displacement import displaced
from firehose.lake.footers import Footer
from firehose.lake.hourfile import put
from firehose.lake.layout import HourFile
from firehose.lake.ledger import LedgerEntry, Rebuilt, entry_path, read_entry, read_ledger, write_entry
from firehose.lake.locks import locked
from firehose.lake.remake import Remade, remake
from firehose.lake.rowgroups import read_groups
from firehose.lake.wanted import RebuildTarget, sources_of, writers_out
from firehose.lake.watch import Difference
from firehose.records.registry import catch_all, shares_queue
from firehose.store import LakePath


class RebuiltHour(msgspec.Struct, frozen=True, kw_only=True):
    """An hour file that was made again. ``before`` is what its record said (-1: it had none), ``aside`` where the
    file that was in its place is now (empty: there was none)."""

    file: HourFile
    rows: int
    before: int
    batches: int
    aside: str


def differing(lake: LakePath, hours: Sequence[int]) -> dict[str, list[int]]:
    """Hours by type, in the order to rebuild them, that are not what their records say. Reads all bytes."""
    known = watch.known_by(read_ledger(lake))
    found: dict[str, list[int]] = {}
    for record_type in in_order(schema.TYPES):
        for hour in hours:
            if any(watch.differences_of(lake, record_type, hour, known, full=True)):
                found.setdefault(record_type, []).append(hour)
    return found


def in_order(record_types: Iterable[str]) -> list[str]:
    """The order to rebuild types in: what is made of a type that shares a queue depends on its catch-all."""
    return sorted(record_types, key=lambda record_type: catch_all(record_type) is not None)


def rebuild(
    lake: LakePath, record_type: str, hours: Sequence[int], *, reason: str, partial: bool = False
) -> list[RebuiltHour]:
    """Make the files of a type and some hours again. Hours beside each other that are both wrong go together.

    ``partial``: also where a raw batch is gone, or the rows are others than those on record: what can be made is.

    Raises:
        CorruptBatch: a raw batch is gone or damaged; nothing is changed.
        LakeChanged: a neighbouring hour, or a file of the catch-all, whose copies count, is wrong as well.
        CorruptLake: the rows that can be made are not as many as were there; or nothing ever wrote this hour.
    """
    around = {hour + step for hour in hours for step in (-1, 0, 1)}
    own, last = {(hour, record_type) for hour in hours}, catch_all(record_type)
    beside = {(hour, name) for hour in around for name in (record_type, *([last.name] if last else []))} - own
    others = {(hour, other.name) for hour in around for other in shares_queue(record_type)}
    with (
        lake.scratch() as scratch,
        writers_out(lake, record_type, hours) as wanted,
        locked(lake, own | beside | others),
    ):
        _check_beside(lake, own, beside)
        sources = sources_of(lake, wanted, partial=partial)
        sound = _files(lake, (at for at in beside if at[1] != record_type)) | (
            _files(lake, others) - _wrong(lake, others).keys()
        )
        made = remake(lake, scratch, record_type, sorted(hours), sources, sound)
        for target in wanted:
            _check(target, made[target.file], partial=partial)
        for file, of_file in displaced(lake, wanted, made).items():
            made[file].footer = msgspec.structs.replace(made[file].footer, displaced=of_file)
        return [_replace(lake, target, made[target.file], reason) for target in wanted]


def _files(lake: LakePath, hours: Iterable[tuple[int, str]]) -> set[HourFile]:
    return {file for hour, record_type in hours for file in users.files_of(lake, record_type, hour)}


def _check_beside(lake: LakePath, own: Iterable[tuple[int, str]], beside: Iterable[tuple[int, str]]) -> None:
    if wrong := _wrong(lake, beside):
        both = {*own, *(file.of for file in wrong)}
        names = " ".join(layout.hour_name(hour) for hour in sorted({hour for hour, _ in both}))
        kinds = " ".join(f"--type {kind}" for kind in sorted({kind for _, kind in both}))
        raise LakeChanged(
            f"{'; '.join(map(str, wrong.values()))}; nothing was changed. Copies of events may lie in either "
            f"file, so make these hours again together: firehose rebuild {names} {kinds}"
        )


def _wrong(lake: LakePath, hours: Iterable[tuple[int, str]]) -> dict[HourFile, Difference]:
    """Those of the files of these hours that are not what their records say."""
    known, recorded = watch.known_by(read_ledger(lake)), watched(lake) is not None
    return {
        file: found
        for file in sorted(_files(lake, hours))
        if (found := watch.compare(lake, file, known))
        # A lake of an earlier version has no records yet.
        and (recorded or not file.path(lake).exists())
    }


def _check(target: RebuildTarget, made: Remade, *, partial: bool) -> None:
    if target.record and made.rows != target.record.rows and not partial:
        raise CorruptLake(
            f"{target.file}: the raw batches give {made.rows} rows, its "
            f"record says {target.record.rows}; nothing was changed. --partial puts in what the raw batches give; "
            "if the rules have changed since, clear the validate tasks of its batches after that"
        )


def _replace(lake: LakePath, target: RebuildTarget, made: Remade, reason: str) -> RebuiltHour:
    """Set aside what is there, say so in the ledger, then put the new file in its place.

    In this order: after a death the hour still differs from its record, so nothing builds on it, and a repetition
    does the rest.
    """
    aside = _set_aside(lake, target)
    for path in (entry_path(lake, Batch(entry.start, entry.end)) for entry in target.entries):
        if entry := read_entry(path):  # again: another hour of it may just have been rebuilt
            write_entry(path, _noted(entry, target, made, reason))
    crash.reached(crash.Point.REBUILD_NOTED)
    put(
        target.path,
        target.file.record_type,
        read_groups(made.path, target.file.record_type),
        _notes(target, made),
        "rebuild",
    )
    return RebuiltHour(
        file=target.file,
        rows=made.rows,
        before=target.record.rows if target.record else -1,
        batches=len(target.batches),
        aside=str(aside) if aside else "",
    )


def _notes(target: RebuildTarget, made: Remade) -> Footer:
    """The notes that were lost with the file; where the rows are others, those of making it."""
    return target.record.footer if target.record and target.record.rows == made.rows else made.footer


def _noted(entry: LedgerEntry, target: RebuildTarget, made: Remade, reason: str) -> LedgerEntry:
    """The entry with what was done, and published again, so that the hour's summaries are built again."""
    file, rows, lost = target.file, made.by_batch.get(entry.batch, 0), 0
    if (
        target.record
        and target.record.rows != made.rows
        and (done := target.record.footer.commits.get(entry.batch))
    ):
        lost = sum(merged.stored for merged in done.slices) - rows
    now = datetime.now(UTC)
    said = Rebuilt(
        hour=layout.hour_name(file.hour),
        record_type=file.record_type,
        user=file.user,
        at=now,
        reason=reason,
        rows=rows,
        lost=lost,
    )
    others = [was for was in entry.rebuilt if not was.is_of(file)]
    return msgspec.structs.replace(entry, published_at=now, rebuilt=[*others, said])


def _set_aside(lake: LakePath, target: RebuildTarget) -> LakePath | None:
    """Copy the file that is in the hour's place to ``_aside/``, under a name of its own content."""
    if not target.path.exists():
        return None
    hour = datetime.fromtimestamp(target.file.hour * 3600, UTC)
    name = f"{target.file.record_type}-{target.path.sha256()[:16]}.parquet"
    aside = Area.ASIDE.of(lake) / f"{hour:date=%Y-%m-%d/hour=%H}" / name
    target.path.copy_to(aside)
    return aside
