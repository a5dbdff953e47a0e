"""The counts of the lake: ledger against hour files and quarantine, and these against their records. Reads."""

from __future__ import annotations

import pyarrow as pa

from firehose import parquet, schema
from firehose.areas import Area
from firehose.errors import CorruptLake
from firehose.lake.check import compare_all
from firehose.lake.ledger import LedgerEntry, entry_paths, read_entry, stored_rows
from firehose.lake.report import VerifyReport
from firehose.store import LakePath


def readable_entries(lake: LakePath, report: VerifyReport) -> list[LedgerEntry]:
    """The ledger; an entry that cannot be read is a problem."""
    entries = []
    for path in entry_paths(lake):
        try:
            entries.append(read_entry(path))
        except CorruptLake as error:
            report.add(str(error))
    return [entry for entry in entries if entry]


def verify_records(lake: LakePath, entries: list[LedgerEntry], report: VerifyReport) -> None:
    """Every hour file, in full, against its record."""
    try:
        found = compare_all(lake, entries, lambda _: True)
    except CorruptLake as error:
        report.add(str(error))
        return
    for one in found.differences:
        report.add(str(one))


def verify_ledger(entries: list[LedgerEntry], report: VerifyReport, stored: dict[tuple[str, str], int]) -> None:
    """The ledger against the rows of the lake: those that are there, and those that earlier batches displaced."""
    for record_type in schema.TYPES:
        claimed = stored_rows(entries, record_type)
        held = sum(count for (_, kind), count in stored.items() if kind == record_type)
        if claimed != held:
            report.add(f"ledger: {record_type} should have {claimed} rows in the lake, it has {held}")
    known = {entry.batch for entry in entries}
    for batch in sorted({batch for batch, _ in stored} - known):
        report.add(f"ledger: no entry for batch {batch}, which has rows in the lake; clear its run")
    for entry in entries:
        for record_type, counts in entry.counts.items():
            accounted = counts.good + counts.duplicates + counts.quarantined
            if counts.received != accounted or counts.good != counts.stored:
                report.add(f"ledger: batch {entry.batch}, {record_type}: counts do not add up: {counts}")


def verify_quarantine(lake: LakePath, entries: list[LedgerEntry], report: VerifyReport) -> None:
    """The quarantine against the ledger."""
    for path in Area.QUARANTINE.of(lake).find("date=*/batch=*/quarantine.parquet"):
        try:
            report.quarantined += parquet.footer(path).num_rows
        except (pa.ArrowInvalid, OSError) as error:
            report.add(f"{path.key_in(lake)}: not readable as Parquet: {error}")
    claimed = sum(counts.quarantined for entry in entries for counts in entry.counts.values())
    if claimed != report.quarantined:
        report.add(f"ledger: {claimed} events should be in quarantine, there are {report.quarantined}")
