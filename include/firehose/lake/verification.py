"""Proof of one hour file, kept beside its record: every row was read, and every record gave its CID.

Beside the record: ``<type>.verified.json``. It is of a file with certain bytes, so it says nothing of
another one that has taken its place. Must not: decide what follows from a proof.
"""

from __future__ import annotations

from datetime import UTC, datetime

import msgspec

from firehose.errors import CorruptLake, LakeChanged
from firehose.lake import recorded, records
from firehose.lake.layout import HourFile
from firehose.lake.report import TypeReport, VerifyReport
from firehose.lake.verify import verify_file
from firehose.store import L, LakePath


class Verification(msgspec.Struct, frozen=True, kw_only=True):
    """That the file with these bytes was verified.

    ``batches``: the rows that each batch has stored there, as the ledger counts them: with those that copies of an
    earlier batch have displaced since. ``source_differs``: digests, by batch, of the rows whose raw line shows
    that the source sent another CID than the record gives.
    """

    sha256: str
    rows: int
    verified_at: datetime
    batches: dict[str, int]
    source_differs: dict[str, list[str]]


def read(hour_file: LakePath) -> Verification | None:
    """What is known of an hour file, or of one that was in its place before; None: it was never verified."""
    try:
        return msgspec.json.decode(_path(hour_file).read_bytes(), type=Verification)
    except (FileNotFoundError, msgspec.MsgspecError, UnicodeDecodeError):
        return None  # it is made again from the file


def verify(lake: LakePath, file: HourFile) -> Verification:
    """Verify an hour file, and keep the proof. Reads the file twice, and the raw files of rows in dispute.

    Raises:
        LakeChanged: the file is not what its record says, or was replaced meanwhile.
        CorruptLake: its rows are not sound.
    """
    path, record_type = file.path(lake), file.record_type
    record = records.read(path).now
    if record is None or not path.exists() or path.sha256() != record.sha256:
        raise LakeChanged(f"{file}: the file is not what its record says; `firehose verify --quick` says how")
    report = VerifyReport(types={record_type: TypeReport()})
    stored: dict[tuple[str, str], int] = {}
    differs: dict[str, list[str]] = {}
    for dispute in verify_file(lake, path, record_type, report, stored):
        differs.setdefault(f"{dispute.batch:%Y%m%dT%H%M%SZ}", []).append(dispute.digest)
    if not report.ok:
        raise CorruptLake(f"{file}: {report.problem_count} problems, such as {report.problems[0]}")
    if records.read(path).now != record:
        raise LakeChanged(f"{file}: was replaced while it was verified; the next run verifies it")
    found = Verification(
        sha256=record.sha256,
        rows=report.types[record_type].rows,
        verified_at=datetime.now(UTC),
        batches={batch: rows for (batch, _), rows in sorted(stored.items())},
        source_differs={batch: sorted(digests) for batch, digests in sorted(differs.items())},
    )
    _path(path).write(msgspec.json.encode(found))
    return found


def _path(hour_file: L) -> L:
    return recorded.record_path(hour_file).with_suffix(recorded.PROOF_SUFFIX)
