"""Check of the backup: whether there is one, and how old its last set is."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Final

from firehose.backup.sets import Backup
from firehose.settings import Settings
from firehose_cli.doctor.check import Check, Finding, failure, ok, warning


def last_set(settings: Settings) -> Finding:
    """There is a complete set, and it is not too old."""
    if not settings.backup:
        return warning("there are no backups", "set FIREHOSE_BACKUP; docs/operations.md, Backup and restore")
    kept = Backup(settings)
    if (found := kept.latest()) is None:
        return failure(f"{kept.target} has no complete set", "firehose backup makes one; see why none was made")
    hours = (datetime.now(UTC) - found.moment).total_seconds() / 3600
    verified = "verified" if kept.verified(found.name) else "not verified yet"
    said = f"the last set is {hours:.0f} hours old, {verified}"
    if hours > settings.backup_alert_hours:
        return failure(
            f"{said}; the limit is {settings.backup_alert_hours}", "see why firehose_backup does not run or fails"
        )
    return ok(said)


CHECKS: Final = (Check("backup.last-set", last_set, timeout_s=30.0),)
