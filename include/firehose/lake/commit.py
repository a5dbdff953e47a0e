"""One batch in one hour file: its rows go into it, and displace copies in other files.

Takes the locks of the files. Must not: write the ledger.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

import pyarrow as pa

from firehose.batch.interval import Batch
from firehose.errors import LakeChanged
from firehose.lake import edges, users
from firehose.lake.edges import Edge
from firehose.lake.footers import DisplacedRows, Merged, commits_done, displaced_rows, mentions
from firehose.lake.hourfile import HourCommit, merge
from firehose.lake.layout import HourFile
from firehose.lake.locks import locked
from firehose.lake.staged import HourRows, commits, remaining
from firehose.lake.watch import Known, require
from firehose.records.registry import REGISTRY, shares_queue
from firehose.store import LakePath


class HourPlan(NamedTuple):
    """A batch's rows of one hour file (perhaps none), and the hours and types in which they may have copies.

    ``source`` is the digest of all that the batch has of the type.
    """

    record_type: str
    rows: HourRows
    source: str
    beside: list[tuple[int, str]]

    @property
    def own(self) -> HourFile:
        """The file."""
        return HourFile(self.rows.hour, self.record_type, self.rows.user)

    def edges(self, lake: LakePath) -> list[Edge]:
        """The other files, as the layouts of their hours are now: one may be decided until their lock is held."""
        return edges.edges_of(lake, self.own, self.beside)


class Outcome(NamedTuple):
    """The outcome for an hour file's rows, and the files that have changed, now or in an earlier run."""

    merged: Merged
    touched: set[HourFile]


def plan(record_type: str, rows: HourRows, source: str) -> HourPlan:
    """Plan what is to be done to an hour file. Reads the rows' times."""
    return HourPlan(record_type, rows, source, edges.beside(record_type, rows.hour, rows.times()))


def check(lake: LakePath, planned: Iterable[HourPlan], known: Known) -> None:
    """See that the files are what their records say: those that rows go into in full, the others quickly.

    Raises:
        LakeChanged: one is not.
    """
    own: set[HourFile] = set()
    others: set[HourFile] = set()
    for work in planned:
        own.add(work.own)
        others |= _files(work, work.edges(lake))
    for file in sorted(own | others):
        with locked(lake, [file.of]):
            require(lake, file, known, full=file in own)


def commit(lake: LakePath, batch: Batch, work: HourPlan, known: Known) -> Outcome:
    """Merge the rows into the hour file. A run that was killed has left its commits there.

    Only then do other files lose their later copies, looked up each time: a killed run may not have got there.

    Raises:
        LakeChanged: a file has changed since :func:`check`, or the hour's layout since :func:`plan`; nothing of
            this file is written. Or another file that has copies to lose has other bytes; that one is not written.
    """
    path = work.own.path(lake)
    with locked(lake, [work.own.of, *work.beside]):
        _require_layout(lake, work)
        beside = work.edges(lake)
        for file in sorted(_files(work, beside)):
            require(lake, file, known)
        if not work.rows.parts and not mentions(path, batch.start):
            return Outcome(Merged(0, 0, 0), set())
        done = _merge(path, batch, work, beside)
        lost: dict[HourFile, DisplacedRows] = {}
        for edge in beside:
            neighbour = edge.neighbour
            if len(copies := edges.displaced_copies(edge, batch.start)):
                require(lake, neighbour.file, known, full=True)
                edges.displace(edge, batch.start, copies, work.source)
            if taken := displaced_rows(neighbour.path, edge.taker(batch.start)):
                lost[neighbour.file] = taken
                if not len(copies):
                    neighbour.path.settle()  # what an earlier run did, perhaps as its last act
    # What an earlier run took is not this run's count, but its hour has changed.
    done.append(
        Merged(0, 0, sum(displaced.rows for displaced in lost.values() if displaced.source == work.source))
    )
    total = Merged(
        *(sum(getattr(merged_commit, name) for merged_commit in done) for name in Merged.__struct_fields__)
    )
    return Outcome(total, {work.own, *lost})


def _files(work: HourPlan, beside: list[Edge]) -> set[HourFile]:
    return {work.own, *(edge.neighbour.file for edge in beside)}


def _require_layout(lake: LakePath, work: HourPlan) -> None:
    if users.layout_of(lake, work.record_type, work.rows.hour) != work.rows.by:
        raise LakeChanged(
            f"{work.own}: another process has decided the layout of this hour meanwhile, by other settings; "
            "nothing was written: clear the task"
        )


def _merge(path: LakePath, batch: Batch, work: HourPlan, beside: list[Edge]) -> list[Merged]:
    """Merge the rows commit by commit, and return the outcome of each; those that the file holds are left out."""
    parts = work.rows.parts
    done = commits_done(path, batch.start, work.source)
    rest = remaining(parts, done)
    if rest is None:
        done, rest = [], list(parts)
    todo = list(commits(work.rows._replace(parts=rest)))
    if not todo and not done:
        todo = [work.rows._replace(parts=[])]  # what an earlier run stored has to go
    if not todo:
        path.settle()  # the ledger is to rely on what an earlier run did, perhaps its last act
    for rows in todo:
        read = rows.reading()
        elsewhere = [edges.copies_that_stay(edge, read, batch.start) for edge in beside]
        new = HourCommit(
            work.record_type,
            batch.start,
            read,
            source=work.source,
            number=len(done),
            elsewhere=pa.concat_arrays([pa.array([], pa.string()), *elsewhere]),
            types=[*REGISTRY] if shares_queue(work.record_type) else (),
        )
        done.append(merge(path, new))
    return done
