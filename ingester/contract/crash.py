"""Crash points, for tests only: at a named durable boundary the process kills itself.

Lives here: the list of all boundaries, from the socket to the summary tables, and the kill.
``FIREHOSE_CRASH_AT=<point>[:<nth>]`` chooses the point, ``FIREHOSE_CRASH_PROOF`` names the file to write just
before the kill; without them a crash point costs one comparison. Must not: know what any step does.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Mapping
from enum import StrEnum
from pathlib import Path
from typing import Final

AT: Final = "FIREHOSE_CRASH_AT"
PROOF: Final = "FIREHOSE_CRASH_PROOF"


class Point(StrEnum):
    """Every boundary at which something has become durable, or is about to, in the order that events pass them."""

    # Ingester: from memory into Redis.
    CLAIMED = "ingester.claimed"  # Redis has the new writer, this process does not know it yet
    FLUSH_PACKED = "ingester.flush_packed"  # frames made, nothing sent
    COMMAND_SENT = "ingester.command_sent"  # a script is with Redis, its reply not read; counts claims as well
    FLUSH_WRITTEN = "ingester.flush_written"  # the reply is there: frames and cursor are in Redis
    FLUSH_SETTLED = "ingester.flush_settled"  # and memory has moved on
    RELEASED = "ingester.released"  # the right to write is given back, the process still runs

    # Drain: from Redis into raw files.
    MOVED_ASIDE = "drain.moved_aside"  # a key of a foreign type has another name, its content is not kept yet
    FOREIGN_SYNCED = "drain.foreign_synced"
    FOREIGN_RENAMED = "drain.foreign_renamed"  # its content is kept, Redis still holds it
    RAW_COPYING = "drain.raw_copying"  # some frames are in the partial file
    RAW_SYNCED = "drain.raw_synced"
    RAW_RENAMED = "drain.raw_renamed"
    COVERAGE_SYNCED = "drain.coverage_synced"  # the records of gaps; Redis still holds them
    COVERAGE_RENAMED = "drain.coverage_renamed"
    MANIFEST_SYNCED = "drain.manifest_synced"
    MANIFEST_RENAMED = "drain.manifest_renamed"
    DELETE_BEGINS = "drain.delete_begins"  # the manifest is durable, Redis still holds everything
    DELETED_SOME = "drain.deleted_some"  # some entries of a queue are gone from Redis
    DELETED_ALL = "drain.deleted_all"

    # Validate: from raw files into staged rows and the quarantine.
    BEGUN_SYNCED = "validate.begun_synced"
    BEGUN_RENAMED = "validate.begun_renamed"
    STAGED_SYNCED = "validate.staged_synced"
    STAGED_RENAMED = "validate.staged_renamed"
    BAD_SYNCED = "validate.bad_synced"  # a slice's bad events, before those of all slices are gathered
    BAD_RENAMED = "validate.bad_renamed"
    SLICE_SYNCED = "validate.slice_synced"  # a slice's result: once it is in place, the slice is not done again
    SLICE_RENAMED = "validate.slice_renamed"
    QUARANTINE_SYNCED = "validate.quarantine_synced"
    QUARANTINE_RENAMED = "validate.quarantine_renamed"
    DOCS_BUILT = "validate.docs_built"
    SUITES_SYNCED = "validate.suites_synced"
    SUITES_RENAMED = "validate.suites_renamed"
    RESULT_SYNCED = "validate.result_synced"
    RESULT_RENAMED = "validate.result_renamed"

    # Publish: from staged rows into hour files and the ledger.
    WATCHED_SYNCED = "publish.watched_synced"  # that this lake's hour files have records from now on
    WATCHED_RENAMED = "publish.watched_renamed"
    LAYOUT_SYNCED = "publish.layout_synced"  # it is not decided yet which accounts have files of their own
    LAYOUT_RENAMED = "publish.layout_renamed"  # it is, and no file of the hour is there
    HOUR_COPIED = "publish.hour_copied"  # what is decoded of the old rows is in the partial file, nothing else
    HOUR_SYNCED = "publish.hour_synced"
    RECORD_SYNCED = "publish.record_synced"  # what the new hour file will hold; the old one is in place
    RECORD_RENAMED = "publish.record_renamed"
    HOUR_RENAMED = "publish.hour_renamed"
    RECORD_SETTLED = "publish.record_settled"  # only the new hour file is right from here on
    HOURS_DONE = "publish.hours_done"  # every hour file is in place, the ledger does not say so
    LEDGER_SYNCED = "publish.ledger_synced"
    LEDGER_RENAMED = "publish.ledger_renamed"
    STAGED_REMOVED = "publish.staged_removed"  # some staged files are gone

    # Rebuild: from raw files into hour files that were lost or changed.
    ASIDE_SYNCED = "rebuild.aside_synced"  # a copy of the file that is wrong, which is still in place
    ASIDE_RENAMED = "rebuild.aside_renamed"
    REBUILD_NOTED = "rebuild.noted"  # the ledger says so, the hour file is not in place

    # Maintenance: from files whose time is over to what stands in their place.
    VERIFIED_SYNCED = "maintenance.verified_synced"  # the proof of an hour file
    VERIFIED_RENAMED = "maintenance.verified_renamed"
    AUDIT_SYNCED = "maintenance.audit_synced"
    AUDIT_RENAMED = "maintenance.audit_renamed"
    AUDIT_BEGUN = "maintenance.audit_begun"  # it says what goes, and all of it is still there
    EXPIRED_SYNCED = "maintenance.expired_synced"  # what keeps the count of a quarantine file
    EXPIRED_RENAMED = "maintenance.expired_renamed"
    EXPIRED_SOME = "maintenance.expired_some"  # some files are gone; what stands for them says so
    ICEBERG_SYNCED = "maintenance.iceberg_synced"  # a table's manifest, version or hint
    ICEBERG_RENAMED = "maintenance.iceberg_renamed"  # or an hour file has its second name
    ICEBERG_SWEPT = "maintenance.iceberg_swept"  # some of what no reader needs is gone

    # The old system's data: compared, and removed once that is safe.
    COMPARED = "legacy.compared"  # a day's register of files is new, its result is the one before
    TRASH_BEGUN = "legacy.trash_begun"  # log and trash say what goes, and all of it is in its place
    TRASH_MOVED = "legacy.trash_moved"  # some files are in the trash
    TRASH_BACK = "legacy.trash_back"  # some are in their places again
    PURGED_SOME = "legacy.purged_some"  # some are gone for good

    # Upgrade: from the folder names of an earlier version to today's.
    AREA_RENAMED = "upgrade.area_renamed"  # some areas have today's names, others may have earlier ones

    # Summaries: from the lake into ClickHouse.
    STAGING_CREATED = "summaries.staging_created"
    STAGING_FILLED = "summaries.staging_filled"
    PARTITION_SWAPPED = "summaries.partition_swapped"
    GAPS_SWAPPED = "summaries.gaps_swapped"
    ADDING_NOTED = "summaries.adding_noted"
    PARTITION_ATTACHED = "summaries.partition_attached"
    REBUILT = "summaries.rebuilt"  # every partition is swapped, no batch is recorded as loaded
    HOURS_LOADED = "summaries.hours_loaded"  # what the hour files should hold; no batch is recorded as loaded
    BATCHES_RECORDED = "summaries.batches_recorded"


class _Armed:
    """The point at which this process must die, how often it must still be reached, and the proof's path."""

    def __init__(self, point: Point, nth: int, proof: Path) -> None:
        self.point = point
        self._left = nth
        self._proof = proof

    def count_down(self) -> None:
        self._left -= 1
        if self._left:
            return
        with self._proof.open("w") as stream:
            stream.write(f"{self.point} {os.getpid()}\n")
            stream.flush()
            os.fsync(stream.fileno())
        os.kill(os.getpid(), signal.SIGKILL)


_armed: _Armed | None = None


def reached(point: Point) -> None:
    """Die, if this is the point at which this process must."""
    if _armed is not None and _armed.point is point:
        _armed.count_down()


def armed() -> bool:
    """True if this process has a point to die at. If not, work that only a crash point needs is skipped."""
    return _armed is not None


def arm(environ: Mapping[str, str]) -> None:
    """Read the point to die at. Importing this module calls it; a forked process may call it again.

    Raises:
        ValueError: an unknown point, a count below 1, or no file for the proof.
    """
    global _armed
    told = environ.get(AT, "")
    if not told:
        _armed = None
        return
    name, _, count = told.partition(":")
    nth = int(count or 1) if (count or "1").isdecimal() else 0
    if name not in Point.__members__.values() or nth < 1 or not environ.get(PROOF):
        raise ValueError(
            f"{AT}={told}: for tests only; it takes <point>[:<nth>] of {', '.join(Point)}, and {PROOF} a file"
        )
    _armed = _Armed(Point(name), nth, Path(environ[PROOF]))


arm(os.environ)
