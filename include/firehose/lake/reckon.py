"""What a lost hour file had noted of displaced rows, reckoned from the ledger where no record has it.

A batch's stored rows are in the lake, or were displaced there by copies of earlier batches. Of those that the
ledger counts and no other file accounts for, as many were displaced here as the raw batches explain. Reads only.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from firehose.errors import CorruptLake
from firehose.lake import layout, notes, records
from firehose.lake.adopt import watched
from firehose.lake.ledger import LedgerEntry, stored_rows
from firehose.lake.remake import Remade
from firehose.lake.rowgroups import rows_by_batch
from firehose.lake.wanted import Wanted
from firehose.store import LakePath


def displaced(lake: LakePath, wanted: Sequence[Wanted], made: Mapping[int, Remade]) -> dict[int, dict[str, int]]:
    """By hour, of files without a record: the rows that each batch has lost there to copies of earlier batches."""
    found: dict[int, dict[str, int]] = {one.hour: {} for one in wanted if one.record is None}
    entries = {entry.batch: entry for one in wanted for entry in one.entries}
    for batch, entry in sorted(entries.items()) if found else ():
        try:
            short = _short(lake, entry, wanted, made)
        except CorruptLake:
            continue  # another file of the batch is wrong as well: nothing can be reckoned from it
        for hour, of_hour in found.items():
            if (here := min(short, made[hour].duplicates[batch])) > 0:
                of_hour[batch] = here
                short -= here
    return found


def _short(lake: LakePath, entry: LedgerEntry, wanted: Sequence[Wanted], made: Mapping[int, Remade]) -> int:
    """Rows that a batch has stored and that no file accounts for."""
    record_type = wanted[0].record_type
    recorded = {one.hour: one.record for one in wanted}
    rest = stored_rows([entry], record_type)
    for name, kinds in entry.hours.items():
        hour = layout.parse_hour(name)
        if record_type not in kinds:
            continue
        if hour in made:
            record = recorded[hour]
            rest -= made[hour].by_batch.get(entry.batch, 0)
            rest -= record.noted.displaced.get(entry.batch, 0) if record else 0
            continue
        path = layout.hour_file(lake, record_type, hour)
        there, seen = [one for one in records.read(path) if one], records.see(path)
        right = any(records.matches(one, seen) for one in there) if seen else False
        if not right and (there or seen is None or watched(lake)):
            raise CorruptLake(f"{path}: not what its record says")
        rest -= rows_by_batch(path).get(entry.start, 0) + notes.displaced(path).get(entry.batch, 0)
    return rest
