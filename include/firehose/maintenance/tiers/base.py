"""What every tier can do, and what those have in common whose items are batches. Must not: decide what goes."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import groupby
from typing import Protocol

from firehose import crash
from firehose.batch.interval import Batch
from firehose.batch.lock import lock_path
from firehose.errors import LockTaken
from firehose.lake.audit import AuditedFile
from firehose.maintenance.facts import Item, Tier
from firehose.quality.result import staged_folder
from firehose.store import LakePath


class TierOf(Protocol):
    """A tier of one lake. An item's ``what`` names it to the other methods."""

    def items(self) -> Iterator[Item]:
        """All that lies there."""

    def files(self, what: str) -> list[AuditedFile]:
        """What a removal would remove, for the audit log."""

    def remove(self, what: str, log: str) -> str:
        """Remove one item, safe to repeat. ``log``: key of the audit log. Returns why it is kept, or nothing."""


class OfBatches:
    """A tier of the lake whose items are batches, each with some files, which go under the batch's lock."""

    def __init__(self, lake: LakePath, tier: Tier) -> None:
        self._lake, self._tier = lake, tier

    def items(self) -> Iterator[Item]:
        """Every batch that has files, by its start."""
        for name, paths in groupby(self._all(), key=self._batch_of):
            try:
                batch = Batch.parse(name, 1)
            except ValueError:
                continue  # not ours
            size, staged = total(paths), self._staged(batch)
            yield Item(tier=self._tier, what=batch.id, since=batch.start, bytes=size, kept=staged)

    def files(self, what: str) -> list[AuditedFile]:
        """The files of a batch."""
        return [audited(path, self._lake) for path in self._files(Batch.parse(what, 1))]

    def remove(self, what: str, log: str) -> str:
        """Remove the files of a batch, once :meth:`_prepare` has nothing against it."""
        batch = Batch.parse(what, 1)
        try:
            with lock_path(self._lake, batch.id).lock(wait_s=0):
                if why := self._staged(batch) or self._prepare(batch, log):
                    return why
                for path in self._files(batch):
                    # Not durably each: what a power loss brings back is found, and goes with the next run.
                    path.discard()
                    crash.reached(crash.Point.EXPIRED_SOME)
        except LockTaken:
            return "a step of its batch is at work"
        return ""

    def _staged(self, batch: Batch) -> str:
        """Why a batch is left alone that was validated and is not published since; empty: it is."""
        return "a step works with its batch" if staged_folder(self._lake, batch).find("*") else ""

    def _all(self) -> list[LakePath]:
        """The files of all batches, those of one batch together."""
        raise NotImplementedError

    def _batch_of(self, path: LakePath) -> str:
        """The id of the batch that a file is of."""
        return path.parent.name.removeprefix("batch=")

    def _files(self, batch: Batch) -> list[LakePath]:
        """The files of one batch."""
        raise NotImplementedError

    def _prepare(self, batch: Batch, log: str) -> str:
        """What has to be durable before the files go. Returns why they are kept, or nothing."""
        raise NotImplementedError


def audited(path: LakePath, lake: LakePath) -> AuditedFile:
    """A file of the lake as the audit log has it."""
    return AuditedFile(path.key_in(lake), path.size(), path.sha256())


def total(paths: Iterable[LakePath]) -> int:
    """The bytes of these files; a step may remove some of them meanwhile."""
    return sum(map(_size, paths))


def _size(path: LakePath) -> int:
    try:
        return path.size()
    except FileNotFoundError:
        return 0
