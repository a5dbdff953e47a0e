"""What a plan is made of: plain values that a survey has read. Must not: I/O, decide."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Protocol

import msgspec

from firehose.lake.closed_form import CLOSED
from firehose.lake.layout import HourFile
from firehose.lake.ledger import LedgerEntry
from firehose.lake.records import HourRecord
from firehose.lake.verification import Verification
from firehose.settings import Settings


class Tier(StrEnum):
    """What has a retention of its own."""

    RAW = "raw"
    HOURS = "hours"
    QUARANTINE = "quarantine"
    QUALITY = "quality"
    ASIDE = "aside"
    TABLES = "tables"
    LOGS = "logs"


class Policy(msgspec.Struct, frozen=True, kw_only=True):
    """How long each tier is kept (None: for ever), and how long an hour has to be over to count as quiet."""

    keep: dict[Tier, timedelta | None]
    quiet: timedelta

    @classmethod
    def of(cls, settings: Settings) -> Policy:
        """What the settings say."""
        days = {
            Tier.HOURS: settings.keep_hours_days,
            Tier.QUARANTINE: settings.keep_quarantine_days,
            Tier.QUALITY: settings.keep_quality_days,
            Tier.ASIDE: settings.keep_aside_days,
            Tier.TABLES: settings.keep_tables_days,
            Tier.LOGS: settings.keep_logs_days,
        }
        hours = {Tier.RAW: settings.keep_raw_hours} | {tier: count * 24 for tier, count in days.items()}
        keep = {tier: timedelta(hours=count) if count else None for tier, count in hours.items()}
        return cls(keep=keep, quiet=timedelta(hours=settings.close_after_hours))

    def over(self, tier: Tier, since: datetime, now: datetime) -> bool:
        """Tell whether the retention of something from ``since`` is over."""
        keep = self.keep[tier]
        return keep is not None and now - since >= keep

    def said(self, tier: Tier) -> str:
        """The retention in words: ``30 days``."""
        keep = self.keep[tier] or timedelta()
        return f"{keep.days} days" if keep.days > 1 else f"{keep.total_seconds() / 3600:.0f} hours"


class HourFacts(msgspec.Struct, frozen=True, kw_only=True):
    """An hour file. ``as_recorded``: size and footer are those on record."""

    file: HourFile
    bytes: int
    record: HourRecord | None
    as_recorded: bool
    verification: Verification | None

    @property
    def name(self) -> str:
        """``2026-11-23T20 likes``, and the user if it is of one."""
        return str(self.file)

    @property
    def end(self) -> datetime:
        """When the hour was over."""
        return datetime.fromtimestamp((self.file.hour + 1) * 3600, UTC)

    @property
    def closed(self) -> bool:
        """Tell whether the file is in closed form."""
        return self.record is not None and self.record.form == CLOSED

    @property
    def verified(self) -> Verification | None:
        """The proof of the file that is on record now; None: there is none, or it is of an earlier file."""
        proof = self.verification
        return proof if proof and self.record and proof.sha256 == self.record.sha256 else None


class RawFacts(msgspec.Struct, frozen=True, kw_only=True):
    """A raw batch that has files.

    ``expired``: its manifest says that they are gone, so an earlier removal did not end. ``staged``: a step works
    with it. ``events`` are those of the manifest, ``quarantined`` those of its quarantine file or tombstone.
    ``held``: by a verified backup; None: no backup is set. ``damage``: why its manifest cannot be read.
    """

    batch: str
    start: datetime
    end: datetime
    bytes: int
    events: int = 0
    expired: bool = False
    entry: LedgerEntry | None = None
    staged: bool = False
    quarantined: int = 0
    held: bool | None = None
    hours: list[HourFacts] = []
    damage: str = ""


class Backup(Protocol):
    """What the last verified set of a backup holds."""

    def holds_batch(self, batch_id: str, manifest_sha256: str) -> bool:
        """Tell whether it holds a raw batch, by the digest of its manifest, with all files."""

    def holds_file(self, key: str, sha256: str) -> bool:
        """Tell whether it holds a file of the lake, by its key, with this content."""


class NoVerifiedSet:
    """A backup that has no verified set yet."""

    def holds_batch(self, batch_id: str, manifest_sha256: str) -> bool:
        """None."""
        return False

    def holds_file(self, key: str, sha256: str) -> bool:
        """None."""
        return False


class Item(msgspec.Struct, frozen=True, kw_only=True):
    """Something else with an age: ``what`` it is, ``since`` when it is there, its bytes.

    ``kept`` says why it is not removed although its time may be over; empty: nothing is against it. ``unverified``
    is the hour file that has to be verified first.
    """

    tier: Tier
    what: str
    since: datetime
    bytes: int
    kept: str = ""
    unverified: HourFacts | None = None
