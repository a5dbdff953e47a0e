"""What every tier can do, and what those have in common whose items are batches. Must not: decide what goes."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import groupby
from typing import NamedTuple, Protocol

from firehose import crash
from firehose.batch.interval import Batch
from firehose.batch.lock import lock_path, rests
from firehose.errors import LockTaken
from firehose.lake.audit import AuditedFile
from firehose.maintenance.facts import Item, Tier
from firehose.quality.result import staged_folder
from firehose.store import LakePath


class Refusal(NamedTuple):
    """Why an item is kept after all. ``alarming``: something about it is wrong."""

    why: str
    alarming: bool = False


class TierOf(Protocol):
    """Removes items of a tier. An item's ``what`` names it."""

    def files(self, what: str) -> list[AuditedFile]:
        """What a removal would remove, for the audit log."""

    def remove(self, what: str, log: str) -> Refusal | None:
        """Remove one item, safe to repeat. ``log``: key of the audit log. None: it is gone."""


class AgedTier(TierOf, Protocol):
    """A tier whose items go by their age."""

    def items(self) -> Iterator[Item]:
        """All that lies there."""


class OfBatch:
    """Files of a batch, which go under its lock. ``lake`` is where they are."""

    def __init__(self, lake: LakePath) -> None:
        self.lake = lake

    def files(self, what: str) -> list[AuditedFile]:
        """The files of a batch."""
        return [audited(path, self.lake) for path in self.paths(Batch.parse(what, 1))]

    def remove(self, what: str, log: str) -> Refusal | None:
        """Remove the files of a batch, once :meth:`prepare` has nothing against it."""
        batch = Batch.parse(what, 1)
        try:
            with lock_path(self.lake, batch.id).lock(wait_s=0):
                if rests(self.lake):
                    return Refusal("a backup takes its last look at the lake")
                if why := self.staged(batch):
                    return Refusal(why)
                if against := self.prepare(batch, log):
                    return against
                for path in self.paths(batch):
                    # Not durably each: what a power loss brings back is found, and goes with the next run.
                    path.discard()
                    crash.reached(crash.Point.EXPIRED_SOME)
        except LockTaken:
            return Refusal("a step of its batch is at work")
        return None

    def staged(self, batch: Batch) -> str:
        """Why a batch is left alone that was validated and is not published since; empty: it is."""
        return "a step works with its batch" if staged_folder(self.lake, batch).find("*") else ""

    def paths(self, batch: Batch) -> list[LakePath]:
        """The files of one batch."""
        raise NotImplementedError

    def prepare(self, batch: Batch, log: str) -> Refusal | None:
        """Make durable what has to be there before the files go; None: they may."""
        raise NotImplementedError


def by_batch(tier: OfBatch, named: Tier, files: Iterable[tuple[str, LakePath]]) -> Iterator[Item]:
    """Items of a tier: its files with the ids of their batches, those of one batch together."""
    for name, group in groupby(files, key=lambda pair: pair[0]):
        try:
            batch = Batch.parse(name, 1)
        except ValueError:
            continue  # not ours
        size = total(path for _, path in group)
        yield Item(tier=named, what=batch.id, since=batch.start, bytes=size, kept=tier.staged(batch))


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
