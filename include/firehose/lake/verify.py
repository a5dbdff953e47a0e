"""Proof of the lake: every stored record against its CID, every raw file against its manifest, every count.

Reads only. Memory is bounded by one row group and the keys of one hour file; of two neighbouring hours only what
lies near their edge is compared.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from firehose import parquet, schema
from firehose.batch.coverage import damaged
from firehose.batch.orphans import orphans
from firehose.errors import CorruptLake
from firehose.events.rebuild import record_cid, record_of
from firehose.lake import accounting, closed_form, layout, places, users
from firehose.lake.disputed import Disputed, came_so, disputed
from firehose.lake.footers import displaced
from firehose.lake.identity import EventIndex, fingerprints, identities
from firehose.lake.plain import plain_groups
from firehose.lake.report import LISTED, TypeReport, VerifyReport
from firehose.progress import tracked
from firehose.records.registry import REGISTRY
from firehose.store import LakePath

_ROWS = 20_000
# Records that do not give their CID are held until there are this many, then looked for in the raw files.
_DISPUTES = 50_000


def verify(lake: LakePath) -> VerifyReport:
    """Check the whole lake; problems are in the report, not raised.

    Raises:
        LakeOutdated: the lake has the folder names of an earlier version.
    """
    lake.require_current()
    report = VerifyReport(types={record_type: TypeReport() for record_type in schema.TYPES})
    entries = accounting.readable_entries(lake, report)
    accounting.verify_records(
        lake, entries, report
    )  # first: it says in one line what takes a line for each row below
    expired: dict[str, str] = {}
    accounting.verify_raw(lake, report, expired)
    stored: dict[tuple[str, str], int] = {}
    disputes: list[Disputed] = []
    for record_type in schema.TYPES:
        for path in tracked(layout.hour_files(lake, record_type), f"verifying {record_type}", "files"):
            _verify_hour(lake, path, record_type, report, stored, disputes)
            if len(disputes) >= _DISPUTES:
                _settle(lake, report, disputes)
        places.verify_neighbours(lake, record_type, report)
        places.verify_catch_all(lake, record_type, report)
    _settle(lake, report, disputes)
    accounting.expired_rows(lake, stored, report, expired)
    accounting.leave_out_unpublished(lake, entries, stored)
    accounting.verify_ledger(entries, report, stored)
    accounting.verify_quarantine(lake, entries, report, expired)
    accounting.verify_audit(lake, report, expired)
    for problem in (*orphans(lake), *damaged(lake)):
        report.add(problem)
    return report


def verify_file(
    lake: LakePath, path: LakePath, record_type: str, report: VerifyReport, stored: dict[tuple[str, str], int]
) -> set[Disputed]:
    """One hour file alone, in full; ``stored`` gets the rows of each batch and type.

    Returns the rows whose record gives another CID than is beside it, as their source has sent them.
    """
    disputes: list[Disputed] = []
    _verify_hour(lake, path, record_type, report, stored, disputes)
    return _settle(lake, report, disputes)


def _verify_hour(
    lake: LakePath,
    path: LakePath,
    record_type: str,
    report: VerifyReport,
    stored: dict[tuple[str, str], int],
    disputes: list[Disputed],
) -> None:
    """One hour file: its rows belong there, each event is there once, each record gives its CID."""
    counts = report.types[record_type]
    name, file = path.key_in(lake), layout.file_of(path)
    try:
        by = users.layout_of(lake, record_type, file.hour)
        with parquet.opened(path) as source:
            if again := _duplicated(record_type, source):
                counts.duplicates += again
                report.add(f"{name}: {again} rows are copies of an event that is there already")
            digest = hashlib.sha256()
            for table in _tables(source, record_type, digest):
                places.verify_rows(name, table, file, by, report)
                disputes += _verify_rows(name, table, record_type, report)
                for counted in table["batch"].value_counts().to_pylist():
                    key = (f"{counted['values']:%Y%m%dT%H%M%SZ}", record_type)
                    stored[key] = stored.get(key, 0) + counted["counts"]
            if not closed_form.is_proven(source.metadata.metadata, digest.hexdigest()):
                report.add(f"{name}: its records do not give the CIDs that it was closed with")
        for batch, rows in displaced(path).items():
            stored[batch, record_type] = stored.get((batch, record_type), 0) + rows
    except CorruptLake as error:
        report.add(str(error))
    except (pa.ArrowInvalid, OSError) as error:
        report.add(f"{name}: not readable as Parquet: {error}")


def _duplicated(record_type: str, source: pq.ParquetFile) -> int:
    """How many rows of an hour file are copies of an event in another row."""
    groups = plain_groups(source, record_type, schema.IDENTITY[record_type])
    events = EventIndex(fingerprints(identities(record_type, rows)) for rows in groups)
    return len(events.wanted) - int(events.wanted.sum())


def _tables(source: pq.ParquetFile, record_type: str, digest: Any) -> Iterator[pa.Table]:
    """The rows, a few at a time; their CIDs go into the digest."""
    for group in plain_groups(source, record_type):
        closed_form.add_cids(digest, record_type, group)
        yield from (group.slice(start, _ROWS) for start in range(0, len(group), _ROWS))


def _verify_rows(name: str, table: pa.Table, record_type: str, report: VerifyReport) -> Iterator[Disputed]:
    """Count the rows; those whose records do not give their CID are yet to be settled."""
    counts = report.types[record_type]
    counts.rows += len(table)
    if not REGISTRY[record_type].is_event:  # no record was kept from which a CID could be computed
        counts.without_record += len(table)
        return
    for row in table.to_pylist():
        if row.get("cid") is None:
            counts.without_record += 1
            continue
        try:
            cid = record_cid(record_of(record_type, row))
        except ValueError as error:
            counts.unverifiable += 1
            if len(report.unverifiable) < LISTED:
                report.unverifiable.append(f"{name}: {_label(record_type, row)}: {error}")
            continue
        if cid == row["cid"]:
            counts.verified += 1
        else:
            yield disputed(name, record_type, row, cid)


def _settle(lake: LakePath, report: VerifyReport, disputes: list[Disputed]) -> set[Disputed]:
    """Report each dispute as the source's own or as damage, and forget them. Returns the source's own."""
    innocent = came_so(lake, disputes)
    for dispute in disputes:
        counts = report.types[dispute.record_type]
        if dispute not in innocent:
            counts.mismatched += 1
            report.add(dispute.text)
            continue
        counts.source_differs += 1
        if len(report.source_differs) < LISTED:
            report.source_differs.append(f"{dispute.text}; its source sent it so")
    disputes.clear()
    return innocent


def _label(record_type: str, row: dict[str, Any]) -> str:
    return " ".join(str(row[column]) for column in schema.IDENTITY[record_type])
