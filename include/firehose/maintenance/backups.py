"""The backup that maintenance asks before it removes what nothing else may hold. Must not: read a lake."""

from __future__ import annotations

from firehose.backup.coverage import coverage
from firehose.maintenance.facts import Backup, NoVerifiedSet
from firehose.settings import Settings


def verified_backup(settings: Settings) -> Backup | None:
    """What the last verified set holds, which is nothing where no set was verified yet; None: no backup is set.

    Raises:
        FirehoseError: the place of the backups cannot be used.
    """
    return (coverage(settings) or NoVerifiedSet()) if settings.backup else None
