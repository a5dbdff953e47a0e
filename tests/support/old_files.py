"""Old files with their register and a kept comparison, without a lake of events: what a cleanup decides upon.

Lives here: set-up. Must not: say what may go.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime
from pathlib import Path

from firehose.legacy.compare import kept
from firehose.legacy.compare.kept import ComparedFile
from firehose.legacy.compare.outcome import Counts, DayResult, Scope, Thresholds
from firehose.store import LocalLake

DAYS = tuple(date(2024, 10, number) for number in (1, 2, 3))


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


def keep(lake: LocalLake, root: Path, files: Mapping[str, ComparedFile], passed: Mapping[date, bool]) -> None:
    """Keep a result for each of these days, with the files that have records of it."""
    for day, good in passed.items():
        result = DayResult(
            day=day,
            root=str(root),
            compared_at=datetime.now(UTC),
            thresholds=Thresholds(),
            scope=Scope(study=1, network=0, others=0),
            types={"posts": Counts(only_old=0 if good else 1)},
            others=0,
            imports=[],
            whole=True,
        )
        kept.write(lake, root, result, [file for file in files.values() if str(day) in file.days], "")
