"""The crash points of durable files, by the area of the lake in which a file lies. For tests only.

Must not: know anything of a file but its path; hold points of its own: ingester/contract/crash.py has them.
"""

from __future__ import annotations

from pathlib import Path
from typing import Final

from firehose.areas import Area
from ingester.contract import crash
from ingester.contract.crash import Point, reached

__all__ = ["Point", "file_renamed", "file_synced", "reached"]

# What a path contains, first match wins, and the points at which its file is synced and renamed.
_FILES: Final = (
    (f"/{Area.ICEBERG}/", Point.ICEBERG_SYNCED, Point.ICEBERG_RENAMED),
    ("/manifest.json", Point.MANIFEST_SYNCED, Point.MANIFEST_RENAMED),
    (f"/{Area.RAW}/date=", Point.RAW_SYNCED, Point.RAW_RENAMED),
    (f"/{Area.COVERAGE}/date=", Point.COVERAGE_SYNCED, Point.COVERAGE_RENAMED),
    ("/unfinished", Point.BEGUN_SYNCED, Point.BEGUN_RENAMED),
    (".slice.json", Point.SLICE_SYNCED, Point.SLICE_RENAMED),
    (".bad", Point.BAD_SYNCED, Point.BAD_RENAMED),
    (f"/{Area.STAGED}/date=", Point.STAGED_SYNCED, Point.STAGED_RENAMED),
    ("/expired.json", Point.EXPIRED_SYNCED, Point.EXPIRED_RENAMED),
    (".verified.json", Point.VERIFIED_SYNCED, Point.VERIFIED_RENAMED),
    (f"/{Area.AUDIT}/date=", Point.AUDIT_SYNCED, Point.AUDIT_RENAMED),
    (f"/{Area.QUARANTINE}/redis/", Point.FOREIGN_SYNCED, Point.FOREIGN_RENAMED),
    (f"/{Area.QUARANTINE}/date=", Point.QUARANTINE_SYNCED, Point.QUARANTINE_RENAMED),
    ("/suites.json.gz", Point.SUITES_SYNCED, Point.SUITES_RENAMED),
    ("/result.json", Point.RESULT_SYNCED, Point.RESULT_RENAMED),
    ("/layout.json", Point.LAYOUT_SYNCED, Point.LAYOUT_RENAMED),
    (f"/{Area.HOURS}/date=", Point.RECORD_SYNCED, Point.RECORD_RENAMED),
    (f"/{Area.HOURS}/watched.json", Point.WATCHED_SYNCED, Point.WATCHED_RENAMED),
    (f"/{Area.ASIDE}/date=", Point.ASIDE_SYNCED, Point.ASIDE_RENAMED),
    (f"/{Area.LEDGER}/date=", Point.LEDGER_SYNCED, Point.LEDGER_RENAMED),
    ("/hour=", Point.HOUR_SYNCED, Point.HOUR_RENAMED),
)


def file_synced(path: Path | str) -> None:
    """The content for ``path`` is on the disk under its partial name, or uploaded."""
    if crash.armed():
        _reached(path, 0)


def file_renamed(path: Path | str) -> None:
    """``path`` has its new content; a folder on a disk is not synced yet."""
    if crash.armed():
        _reached(path, 1)


def _reached(path: Path | str, stage: int) -> None:
    for part, *points in _FILES:
        if part in str(path):
            reached(points[stage])
            return
