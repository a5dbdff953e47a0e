"""Log files of Airflow and of the embedded services, which lie outside the lake. What is written to stays."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path

from firehose.lake.audit import AuditedFile
from firehose.maintenance.facts import Item, Tier
from firehose.maintenance.tiers.base import Refusal


class Logs:
    """Files ``….log``, and ``….log.N`` that were rotated away, below these folders. See :class:`TierOf`."""

    def __init__(self, folders: Sequence[Path]) -> None:
        self._folders = folders

    def items(self) -> Iterator[Item]:
        """Every file, by when it was last written to."""
        for folder in self._folders:
            for pattern in ("*.log", "*.log.*"):
                for path in sorted(folder.rglob(pattern)):
                    with suppress(FileNotFoundError):  # rotated meanwhile
                        if path.is_symlink() or not path.is_file():
                            continue
                        stat = path.stat()
                        since = datetime.fromtimestamp(stat.st_mtime, UTC)
                        yield Item(tier=Tier.LOGS, what=str(path), since=since, bytes=stat.st_size)

    def files(self, what: str) -> list[AuditedFile]:
        """The file; its digest is not taken."""
        with suppress(FileNotFoundError):
            return [AuditedFile(what, Path(what).stat().st_size, "")]
        return []

    def remove(self, what: str, log: str) -> Refusal | None:
        """Remove it, and folders that are empty then: Airflow makes one for each run."""
        path = Path(what)
        path.unlink(missing_ok=True)
        for folder in path.parents:
            if folder in self._folders:
                break
            try:
                folder.rmdir()
            except OSError:  # something else is in it
                break
        return None
