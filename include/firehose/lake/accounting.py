"""The counts of the lake: ledger against hour files, raw files and quarantine, each against what describes it.

What has expired is said by what stands in its place, and by the audit log. Reads only.
"""

from __future__ import annotations

from collections import Counter

import pyarrow as pa

from firehose import parquet, schema
from firehose.areas import Area
from firehose.batch import manifest as manifests
from firehose.batch.interval import Batch
from firehose.batch.lock import step_runs
from firehose.batch.raw import read_chunks
from firehose.errors import CorruptBatch, CorruptLake
from firehose.lake import audit, layout, recorded, records
from firehose.lake.check import compare_all
from firehose.lake.ledger import LedgerEntry, entry_path, entry_paths, read_entry, stored_rows
from firehose.lake.report import VerifyReport
from firehose.progress import tracked
from firehose.quality import quarantine
from firehose.store import LakePath

_ROWS = 20_000
#: What has expired, by tier and batch, and the key of the file of the audit log that says so.
Expired = dict[str, str]


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
    for difference in found.differences:
        report.add(str(difference))


def verify_raw(lake: LakePath, report: VerifyReport, expired: Expired) -> None:
    """Every raw file against its manifest. Batches whose files have expired are added to ``expired``."""
    found = Area.RAW.of(lake).find(f"date=*/batch=*/{manifests.NAME}")
    for path in tracked(found, "verifying raw batches", "batches"):
        try:
            said = _verify_batch(path.parent, report)
        except (CorruptBatch, FileNotFoundError) as error:
            said = _expired_just_now(path.parent)
            if not said:
                report.batches += 1
                report.add(str(error))
        if said:
            report.batches_expired += 1
            expired[f"raw {path.parent.name.removeprefix('batch=')}"] = said


def _verify_batch(folder: LakePath, report: VerifyReport) -> str:
    """Returns the file of the audit log by which its files have expired; empty: they are there, and sound."""
    manifest, events = manifests.read(folder), 0
    if manifest is None:
        return ""
    manifests.check(folder, manifest)
    if manifest.expired:
        return manifest.expired.audit
    for queue in manifest.queues.values():
        held = sum(len(lines) for lines in read_chunks(folder / queue.name, _ROWS))
        events += held
        if held != queue.events:
            raise CorruptBatch(f"{folder / queue.name}: {held} events, its manifest says {queue.events}")
    report.batches += 1
    report.raw_events += events
    return ""


def _expired_just_now(folder: LakePath) -> str:
    """As :func:`_verify_batch`, of a batch whose files could not be read."""
    try:
        manifest = manifests.read(folder)
    except CorruptBatch:
        return ""
    if manifest is None or manifest.expired is None:
        return ""
    # Its gaps are compared all the same: that may be what was wrong.
    same = manifests.coverage_sha256(folder) == manifest.coverage_sha256
    return manifest.expired.audit if same else ""


def expired_rows(
    lake: LakePath, stored: dict[tuple[str, str], int], report: VerifyReport, expired: Expired
) -> None:
    """Add the rows of hour files that have expired to ``stored``, as if they were there."""
    for path in recorded.recorded_files(lake):
        try:
            record = records.read(path).now
        except CorruptLake:
            continue  # told with the records
        if record is None or record.expired is None or (record.is_gone and path.exists()):
            continue
        report.hour_files_expired += record.is_gone
        expired[f"hours {layout.file_of(path)}"] = record.expired.audit
        for batch, rows in record.expired.batches.items():
            stored[batch, path.stem] = stored.get((batch, path.stem), 0) + rows


def leave_out_unpublished(lake: LakePath, entries: list[LedgerEntry], stored: dict[tuple[str, str], int]) -> None:
    """Forget the rows of batches that are being published, or were while the lake was read: all may not be there.

    Asked for the lock first: where none is held, the entry of a batch that was published is there.
    """
    unknown = {batch for batch, _ in stored} - {entry.batch for entry in entries}
    at_work = {batch for batch in unknown if step_runs(lake, batch)}
    at_work |= {batch for batch in unknown if entry_path(lake, Batch.parse(batch, 1)).exists()}
    for key in [key for key in stored if key[0] in at_work]:
        del stored[key]


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


def verify_quarantine(lake: LakePath, entries: list[LedgerEntry], report: VerifyReport, expired: Expired) -> None:
    """The quarantine against the ledger; of files that have expired, the count that stands in their place.

    A batch without an entry was validated and is not published yet: its quarantine is there before its entry is.
    """
    held: Counter[str] = Counter()
    for path in Area.QUARANTINE.of(lake).find("date=*/batch=*/quarantine.parquet"):
        try:
            rows = parquet.footer(path).num_rows
        except (pa.ArrowInvalid, OSError) as error:
            report.add(f"{path.key_in(lake)}: not readable as Parquet: {error}")
            continue
        report.quarantined += rows
        held[_batch_of(path)] += rows
    for path in quarantine.tombstones(lake):
        try:
            gone = quarantine.read_tombstone(path)
        except CorruptBatch as error:
            report.add(str(error))
            continue
        expired[f"quarantine {_batch_of(path)}"] = gone.audit
        report.quarantined_expired += gone.rows
        held[_batch_of(path)] += gone.rows
    claimed = sum(counts.quarantined for entry in entries for counts in entry.counts.values())
    there = sum(held[entry.batch] for entry in entries)
    if claimed != there:
        report.add(f"ledger: {claimed} events should be in quarantine, there are {there}")


def _batch_of(path: LakePath) -> str:
    return path.parent.name.removeprefix("batch=")


def verify_audit(lake: LakePath, report: VerifyReport, expired: Expired) -> None:
    """The audit log can be read, and names all that has expired."""
    told: dict[str, set[str]] = {}
    for path in audit.log_paths(lake):
        try:
            told[path.key_in(lake)] = {f"{line.tier} {line.what}" for line in audit.read(path)}
        except (CorruptLake, OSError) as error:
            report.add(str(error))
    for what, key in sorted(expired.items()):
        if what not in told.get(key, ()):
            report.add(f"{what} is said to have expired, and {key} does not say that it was removed")
