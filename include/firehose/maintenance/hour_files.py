"""Goes through hour files, some at a time, until a time is over. Must not: know what is done to them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Final, NamedTuple

from firehose.errors import CorruptLake
from firehose.lake.layout import HourFile
from firehose.maintenance.plan import Chosen
from firehose.quality import workers
from firehose.store import LakePath

#: Does one file, and says what came of it: rows, or bytes.
Work = Callable[[LakePath, HourFile], int]
# Less than this is done sooner than processes are forked.
_FORK_BYTES: Final = 8 * 1024 * 1024


class Outcome(NamedTuple):
    """What came of a file, or why nothing did."""

    amount: int
    problem: str


class Limits(NamedTuple):
    """How many files at a time, and for how long: what is begun then is ended."""

    processes: int
    seconds: float


def each(work: Work, lake: LakePath, files: Sequence[Chosen], limits: Limits) -> Iterator[Outcome]:
    """Do these, and say what came of each, in any order.

    Raises:
        WorkerLost: a process died; what others have done stays done.
    """

    def done(file: HourFile) -> Outcome:
        try:
            return Outcome(work(lake, file), "")
        except CorruptLake as error:
            return Outcome(0, str(error))

    large = sum(one.bytes for one in files) >= _FORK_BYTES
    names = [one.file for one in files]
    return workers.map_unordered(done, names, limits.processes if large else 1, limits.seconds)
