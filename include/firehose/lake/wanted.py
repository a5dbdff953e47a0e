"""The hour files to make again, and what from: the batches that wrote into them, with their raw files.

Lives here: finding out, and keeping publications of these batches out. Must not: write.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager

import msgspec

from firehose.batch.lock import lock_path
from firehose.errors import CorruptBatch, CorruptLake
from firehose.lake import raws, records, users
from firehose.lake.layout import HourFile
from firehose.lake.ledger import LedgerEntry, read_ledger
from firehose.lake.precedence import in_order
from firehose.lake.raws import RawBatch
from firehose.lake.records import HourRecord
from firehose.lake.watch import behind
from firehose.records.registry import FIRST_TYPES, REGISTRY, shares_queue
from firehose.store import LakePath


class RebuildTarget(msgspec.Struct):
    """One file to make again: its record, the batches that wrote into it, and the ledger's entries of these."""

    file: HourFile
    path: LakePath
    record: HourRecord | None
    batches: list[str]
    entries: list[LedgerEntry]


@contextmanager
def writers_out(lake: LakePath, record_type: str, hours: Sequence[int]) -> Iterator[list[RebuildTarget]]:
    """Hold the locks of all batches that wrote into the files of these hours, so that their entries and rows stay
    as they are. They come before the locks of hours, as in a publication.
    """
    held: set[str] = set()
    while True:
        with ExitStack() as locks:
            for batch in sorted(held):
                locks.enter_context(lock_path(lake, batch).lock(reentrant=True))
            wanted = [target for hour in sorted(hours) for target in _wanted(lake, record_type, hour)]
            needed = {batch for target in wanted for batch in target.batches}
            if needed <= held:
                yield wanted
                return
        held |= needed


def _wanted(lake: LakePath, record_type: str, hour: int) -> list[RebuildTarget]:
    """The files of an hour into which any batch wrote."""
    ledger = read_ledger(lake)
    written = [file for entry in ledger for file in entry.files if file.of == (hour, record_type)]
    users.restore(lake, record_type, hour, (file.user for file in written))
    targets = [_target(lake, file, ledger) for file in users.files_of(lake, record_type, hour)]
    found = [target for target in targets if target.batches]
    if not found:
        raise CorruptLake(f"{targets[0].file}: neither the ledger nor a record says that a batch wrote into it")
    return found


def _target(lake: LakePath, file: HourFile, ledger: Sequence[LedgerEntry]) -> RebuildTarget:
    path = file.path(lake)
    entries = [entry for entry in ledger if file in entry.files]
    record = _record(path)
    if record and behind([record], file, entries):
        record = None  # it was restored from before some of these batches
    batches = {entry.batch for entry in entries} | {*(record.footer.commits if record else ())}
    return RebuildTarget(file, path, record, sorted(batches), entries)


def _record(path: LakePath) -> HourRecord | None:
    try:
        there = records.read(path)
    except CorruptLake:  # that is one reason to be here
        return None
    return there.next or there.now


def sources_of(lake: LakePath, wanted: Sequence[RebuildTarget], *, partial: bool) -> list[RawBatch]:
    """The raw batches of these files, in order; ``partial``: those that can be read.

    Raises:
        CorruptBatch: one is gone or damaged.
    """
    found, gone = [], []
    for batch in sorted({batch for target in wanted for batch in target.batches}, key=in_order):
        try:
            found.append(raws.find(lake, batch, wanted[0].file.record_type, _types(wanted, batch)))
        except CorruptBatch as error:
            gone.append(str(error))
    if gone and not partial:
        raise CorruptBatch(
            f"{len(gone)} of {len(gone) + len(found)} raw batches cannot be read: {'; '.join(gone[:5])}; nothing "
            "was changed. Restore them, or the hour file and its record, from a backup; --partial makes the hour "
            "without their rows, which are lost then"
        )
    return found


def _types(wanted: Sequence[RebuildTarget], batch: str) -> Sequence[str]:
    """The record types that the version knew which wrote a batch's rows: by the file's notes, else by the ledger.

    Only a catch-all's file may have rows of a type that was not known.
    """
    if not shares_queue(wanted[0].file.record_type):
        return tuple(REGISTRY)
    done = [
        target.record.footer.commits[batch].types
        for target in wanted
        if target.record and batch in target.record.footer.commits
    ]
    told = [*done, *(entry.types for target in wanted for entry in target.entries if entry.batch == batch)]
    return (told[0] or FIRST_TYPES) if told else tuple(REGISTRY)
