"""A cleanup, its undoing and its end: what moves where, on record in the lake's ``_audit/`` before it happens.

Killed at any moment, a repetition ends with the same files in the same places. Must not: decide what may go.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from itertools import groupby
from pathlib import Path
from typing import Final

import msgspec

from firehose.batch.lock import locks_folder
from firehose.lake import audit
from firehose.lake.audit import AuditedFile, AuditLine, State
from firehose.legacy.cleanup import trash
from firehose.legacy.cleanup.plan import Holds, Unit, plan
from firehose.legacy.cleanup.trash import Trash
from firehose.settings import Settings

KEEP_DAYS: Final = 30
_TIER: Final = "legacy"


class Cleaned(msgspec.Struct, frozen=True, kw_only=True):
    """What a cleanup would move aside, or has; ``stays`` counts units by the reason that keeps them."""

    units: int
    files: int
    bytes: int
    stays: dict[str, int]
    until: datetime | None


class Cleanup:
    """The cleanup of one old store. ``by``: who does it, for the audit log."""

    def __init__(
        self,
        settings: Settings,
        root: Path,
        by: str,
        backup: Holds | None,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._lake, self._root, self._by, self._backup, self._clock = settings.lake_path, root, by, backup, clock

    def plan(self) -> Cleaned:
        """What could go now. Reads only."""
        return _summed(list(plan(self._lake, self._root, self._backup)), None)

    def do(self, keep_days: int = KEEP_DAYS) -> Cleaned:
        """Move aside what may go, for ``keep_days``.

        Raises:
            LockTaken: another cleanup or maintenance is at work.
            DiskFailed: the disk is full, read-only or broken; repeating goes on.
        """
        until = self._clock() + timedelta(days=keep_days)
        with self._alone():
            for folder in trash.folders(self._root):
                if not trash.read(folder).done:  # a killed cleanup: what may go is decided again
                    trash.restore(self._root, folder)
            units = sorted(plan(self._lake, self._root, self._backup), key=lambda unit: (unit.day, unit.name))
            for day, group in groupby((unit for unit in units if not unit.why), key=lambda unit: unit.day):
                self._move(str(day), list(group), until)
        return _summed(units, until)

    def restore(self) -> list[str]:
        """Put everything back that is in the trash; returns what stays there, since its place is taken.

        Raises:
            LockTaken: another cleanup or maintenance is at work.
        """
        taken: list[str] = []
        with self._alone():
            for folder in trash.folders(self._root):
                held = trash.read(folder)
                self._log(f"restore-{folder.name}", "put back", held.files, State.BEGUN)
                taken += trash.restore(self._root, folder)
        return taken

    def over(self) -> list[Trash]:
        """What of the trash has been there for its time."""
        return [held for held in map(trash.read, trash.folders(self._root)) if self._is_over(held)]

    def purge(self) -> int:
        """Remove for good what has been in the trash for its time; returns the number of files.

        Raises:
            LockTaken: another cleanup or maintenance is at work.
        """
        gone = 0
        with self._alone():
            for folder in trash.folders(self._root):
                held = trash.read(folder)
                if self._is_over(held):
                    self._log(f"purge-{folder.name}", "its time in the trash is over", held.files, State.BEGUN)
                    trash.purge(folder)
                    gone += len(held.files)
        return gone

    def _is_over(self, held: Trash) -> bool:
        return held.done and held.until <= self._clock()

    def _move(self, day: str, units: Sequence[Unit], until: datetime) -> None:
        now = self._clock()
        compared = [file for unit in units for file in unit.files]
        moved = [AuditedFile(file.path, file.size, file.sha256) for file in compared]
        why = f"compared, imported, held by a verified backup; in the trash until {until:%Y-%m-%d %H:%M} UTC"
        log = self._log(day, why, moved, State.BEGUN)
        held = Trash(
            root=str(self._root.resolve()),
            moved_at=now,
            until=until,
            by=self._by,
            audit=log,
            files=moved,
            mtimes=[file.mtime_ns for file in compared],
        )
        trash.move(self._root, f"{now:%Y%m%dT%H%M%S.%f}-{day}", held)
        self._log(day, why, moved, State.DONE, log)

    def _log(self, name: str, why: str, files: Sequence[AuditedFile], state: State, key: str = "") -> str:
        """Write a line into the log, and return its key: a new one, or the one that it had."""
        now = self._clock()
        path = self._lake / key if key else audit.log_path(self._lake, now, f"{_TIER}-{name}")
        named = [AuditedFile(str(self._root.resolve() / file.key), file.bytes, file.sha256) for file in files]
        line = AuditLine(at=now, by=self._by, tier=_TIER, what=name, why=why, state=state, files=named)
        audit.write(path, [line])
        return path.key_in(self._lake)

    @contextmanager
    def _alone(self) -> Iterator[None]:
        with (locks_folder(self._lake) / "maintenance.lock").lock(wait_s=0):
            yield


def _summed(units: Sequence[Unit], until: datetime | None) -> Cleaned:
    going = [unit for unit in units if not unit.why]
    return Cleaned(
        units=len(going),
        files=sum(len(unit.files) for unit in going),
        bytes=sum(unit.bytes for unit in going),
        stays=dict(Counter(unit.why for unit in units if unit.why).most_common(50)),
        until=until,
    )
