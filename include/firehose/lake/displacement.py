"""The displaced rows that a lost hour file had noted, computed from the ledger where no record has them.

A batch's stored rows are in the lake, or were displaced there by copies of earlier batches. Of those that the
ledger counts and no other file accounts for, as many were displaced here as the raw batches explain. Reads only.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from firehose.errors import CorruptLake
from firehose.lake import footers, records
from firehose.lake.adopt import watched
from firehose.lake.layout import HourFile
from firehose.lake.ledger import LedgerEntry, stored_rows
from firehose.lake.precedence import in_order
from firehose.lake.remake import Remade
from firehose.lake.rowgroups import rows_by_batch
from firehose.lake.wanted import RebuildTarget
from firehose.store import LakePath


def displaced(
    lake: LakePath, wanted: Sequence[RebuildTarget], made: Mapping[HourFile, Remade]
) -> dict[HourFile, dict[str, int]]:
    """Of files without a record: the rows that each batch has lost there to copies of earlier batches."""
    found: dict[HourFile, dict[str, int]] = {target.file: {} for target in wanted if target.record is None}
    entries = {entry.batch: entry for target in wanted for entry in target.entries}
    for batch in sorted(entries, key=in_order) if found else ():
        try:
            short = _short(lake, entries[batch], wanted, made)
        except CorruptLake:
            continue  # another file of the batch is wrong as well: nothing can be computed from it
        for file, of_file in found.items():
            if (here := min(short, made[file].duplicates[batch])) > 0:
                of_file[batch] = here
                short -= here
    return found


def _short(
    lake: LakePath, entry: LedgerEntry, wanted: Sequence[RebuildTarget], made: Mapping[HourFile, Remade]
) -> int:
    """Rows that a batch has stored and that no file accounts for."""
    record_type = wanted[0].file.record_type
    recorded = {target.file: target.record for target in wanted}
    rest = stored_rows([entry], record_type)
    for file in entry.files:
        if file.record_type != record_type:
            continue
        if file in made:
            record = recorded[file]
            rest -= made[file].by_batch.get(entry.batch, 0)
            rest -= record.footer.displaced.get(entry.batch, 0) if record else 0
            continue
        path = file.path(lake)
        there, seen = [record for record in records.read(path) if record], records.see(path)
        right = any(records.matches(record, seen) for record in there) if seen else False
        if not right and (there or seen is None or watched(lake)):
            raise CorruptLake(f"{path}: not what its record says")
        rest -= rows_by_batch(path).get(entry.start, 0) + footers.displaced(path).get(entry.batch, 0)
    return rest
