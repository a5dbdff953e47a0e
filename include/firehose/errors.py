"""The errors that this project raises on purpose. Each message says what, where, and what to do about it."""

from __future__ import annotations

from typing import Self


class FirehoseError(Exception):
    """The base of all of them: the command line shows its message as one line and exits with 1."""


class ServiceUnavailable(FirehoseError):
    """Redis, ClickHouse or another service does not answer. Trying again later may help."""


class LockTaken(ServiceUnavailable):
    """Another process, or another part of this one, still holds a lock when the time to wait for it is over."""


class StoreAway(ServiceUnavailable):
    """An object store does not answer, or not now, also when asked again. Repeating the step later is safe."""


class StoreRefused(FirehoseError):
    """An object store refuses: no such bucket, or credentials that are missing, wrong or of too few rights."""


class LockLost(ServiceUnavailable):
    """This process was silent too long, and another one took its locks. It has written nothing since."""


class Throttled(ServiceUnavailable):
    """A service asks to be left alone for ``wait_s`` seconds."""

    def __init__(self, message: str, wait_s: float) -> None:
        super().__init__(message)
        self.wait_s = wait_s


class NotListening(FirehoseError):
    """Nothing says that the ingester listened during an interval: it must not become an empty batch."""


class BeforeFirstStart(FirehoseError):
    """The interval lies before the ingester was first started: there is nothing to process, nor to miss."""


class MissedInterval(FirehoseError):
    """Nothing listened during an interval, and the ingester has been back since: a recorded gap in coverage."""


class CorruptBatch(FirehoseError):
    """A raw batch differs from its manifest, or numbers that must agree do not."""


class NotStaged(CorruptBatch):
    """A batch's validated rows are not staged, and the lake does not show that they have been published."""


class RawExpired(CorruptBatch):
    """A batch's raw files were removed because their time was over. What they held is in the lake, undamaged."""


class DiskLow(FirehoseError):
    """The lake's disk has less room than is to be left free. Nothing was taken in; what waits stays there."""


class CorruptLake(FirehoseError):
    """A file of the lake cannot be read or is not what its name says."""

    @classmethod
    def unreadable(cls, path: object, error: OSError) -> Self:
        """The file at ``path`` is there, and the system refuses to read it."""
        return cls(f"{path}: cannot be read ({error.strerror}); see to its rights and its disk")


class LakeChanged(CorruptLake):
    """An hour file is not what its record says: missing, shorter, or another file. It must not be built upon."""


class LakeOutdated(FirehoseError):
    """The lake has the folder names of an earlier version: it has to be upgraded first."""


class RestoreUnfinished(FirehoseError):
    """The lake holds a part of what a restore has begun to put there: nothing may build on it."""


class NoBackup(FirehoseError):
    """There is no backup, or no complete set, where one is looked for."""


class CorruptBackup(FirehoseError):
    """Something in a backup is missing, or is not what was written there."""


class UnknownShape(FirehoseError):
    """An old system's file is of a shape that it never wrote: nothing of it is imported."""


class CorruptArchive(FirehoseError):
    """What an archive sent is damaged, or is not what the archive said that it would send."""


class BudgetSpent(FirehoseError):
    """A download would exceed the bytes that it may take. What has come is kept: a later run goes on from it."""


class BufferFull(FirehoseError):
    """Redis has no room for more. What is there stays; trying again after the next batches may help."""


class PoisonFlood(FirehoseError):
    """So many events of a batch are bad that publishing the rest would hide it: somebody has to look."""


class DiskFailed(FirehoseError, OSError):
    """The disk took a file or its name only in part, or not at all. A retry writes the whole file again."""


class NoSecondNames(FirehoseError):
    """A file system gives a file no second name, where one is needed."""


class WorkerLost(FirehoseError):
    """A process that worked for a step died. What it had committed is kept: a retry goes on from there."""


class PagesNotWritten(FirehoseError):
    """A batch's quality pages cannot be written. Trying again writes them, once there is room and right to."""
