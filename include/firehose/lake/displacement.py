"""The displaced rows that a lost hour file had noted, computed from the ledger where no record has them.

A batch's stored rows are in the lake, or were displaced there by copies of earlier batches. Of those that the
ledger counts and no other file accounts for, as many were displaced here as the raw batches explain. Reads only.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from firehose.errors import CorruptLake
from firehose.lake import footers, layout, records
from firehose.lake.adopt import watched
from firehose.lake.ledger import LedgerEntry, stored_rows
from firehose.lake.remake import Remade
from firehose.lake.rowgroups import rows_by_batch
from firehose.lake.wanted import RebuildTarget
from firehose.store import LakePath


def displaced(
    lake: LakePath, wanted: Sequence[RebuildTarget], made: Mapping[int, Remade]
) -> dict[int, dict[str, int]]:
    """By hour, of files without a record: the rows that each batch has lost there to copies of earlier batches."""
    found: dict[int, dict[str, int]] = {target.hour: {} for target in wanted if target.record is None}
    entries = {entry.batch: entry for target in wanted for entry in target.entries}
    for batch, entry in sorted(entries.items()) if found else ():
        try:
            short = _short(lake, entry, wanted, made)
        except CorruptLake:
            continue  # another file of the batch is wrong as well: nothing can be computed from it
        for hour, of_hour in found.items():
            if (here := min(short, made[hour].duplicates[batch])) > 0:
                of_hour[batch] = here
                short -= here
    return found


def _short(lake: LakePath, entry: LedgerEntry, wanted: Sequence[RebuildTarget], made: Mapping[int, Remade]) -> int:
    """Rows that a batch has stored and that no file accounts for."""
    record_type = wanted[0].record_type
    recorded = {target.hour: target.record for target in wanted}
    rest = stored_rows([entry], record_type)
    for name, kinds in entry.hours.items():
        hour = layout.parse_hour(name)
        if record_type not in kinds:
            continue
        if hour in made:
            record = recorded[hour]
            rest -= made[hour].by_batch.get(entry.batch, 0)
            rest -= record.footer.displaced.get(entry.batch, 0) if record else 0
            continue
        path = layout.hour_file(lake, record_type, hour)
        there, seen = [record for record in records.read(path) if record], records.see(path)
        right = any(records.matches(record, seen) for record in there) if seen else False
        if not right and (there or seen is None or watched(lake)):
            raise CorruptLake(f"{path}: not what its record says")
        rest -= rows_by_batch(path).get(entry.start, 0) + footers.displaced(path).get(entry.batch, 0)
    return rest
