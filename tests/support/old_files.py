"""Old files with their register and a kept comparison, without a lake of events: what a cleanup decides upon.

Lives here: set-up. Must not: say what may go.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime
from pathlib import Path

import msgspec

from firehose.lake import layout
from firehose.lake.footers import Footer
from firehose.lake.recorded import record_path
from firehose.lake.records import HourRecord
from firehose.legacy.compare import kept
from firehose.legacy.compare.kept import ComparedFile
from firehose.legacy.compare.outcome import Counts, DayResult, Scope, Thresholds
from firehose.store import LocalLake

DAYS = tuple(date(2024, 10, number) for number in (1, 2, 3))
_HOUR = 480_000
_RECORD = HourRecord(
    rows=1,
    bytes=1,
    sha256="a",
    footer_sha256="a",
    by="a test",
    recorded_at=datetime(2024, 10, 4, tzinfo=UTC),
    footer=Footer({}, {}, {}),
)


class AllHeld:
    """A verified backup that holds every file."""

    def holds_file(self, key: str, sha256: str) -> bool:
        return True


def write(root: Path, path: str, content: str) -> None:
    (root / path).parent.mkdir(parents=True, exist_ok=True)
    (root / path).write_text(content)


def compared(
    root: Path, path: str, days: Sequence[date], *, refused: int = 0, imported: bool = True
) -> ComparedFile:
    """What a comparison notes of a file as it is."""
    found = (root / path).stat()
    digest = hashlib.sha256((root / path).read_bytes()).hexdigest()
    return ComparedFile(
        path=path,
        size=found.st_size,
        mtime_ns=found.st_mtime_ns,
        sha256=digest,
        days=[str(day) for day in days],
        records=1,
        refused=refused,
        imported=imported,
    )


def keep(
    lake: LocalLake,
    root: Path,
    files: Mapping[str, ComparedFile],
    passed: Mapping[date, bool],
    *,
    imported: bool = True,
) -> None:
    """Keep a result for each of these days, with the files that have records of it.

    ``imported``: an hour file is on record as the one that has what an import brought.
    """
    hour = layout.hour_file(lake, "imported", _HOUR)
    if imported:
        record_path(hour).write(msgspec.json.encode(_RECORD))
    for day, good in passed.items():
        result = DayResult(
            day=day,
            root=str(root),
            compared_at=datetime.now(UTC),
            thresholds=Thresholds(),
            scope=Scope(study=1, network=0, others=0),
            types={"posts": Counts(only_old=0 if good else 1)},
            others=0,
            imports=[hour.key_in(lake)] if imported else [],
            whole=True,
            heard_us=86_400_000_000,
        )
        kept.write(lake, root, result, [file for file in files.values() if str(day) in file.days], "")
