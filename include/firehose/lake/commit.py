"""One batch in one hour of one type: its rows go into the hour file, and displace copies in other files.

Takes the locks of the files. Must not: write the ledger.
"""

from __future__ import annotations

from typing import NamedTuple

import pyarrow as pa

from firehose.batch.interval import Batch
from firehose.lake import edges, layout
from firehose.lake.edges import Edge
from firehose.lake.footers import Merged, commits_done, displaced_rows, mentions
from firehose.lake.hourfile import HourCommit, merge
from firehose.lake.locks import locked
from firehose.lake.staged import HourRows, commits, remaining
from firehose.lake.watch import Known, require
from firehose.records.registry import REGISTRY, shares_queue
from firehose.store import LakePath


class HourPlan(NamedTuple):
    """A batch's rows of one hour and type (perhaps none), and the files in which they may have copies.

    ``source`` is the digest of all that the batch has of the type.
    """

    record_type: str
    rows: HourRows
    source: str
    edges: list[Edge]

    @property
    def files(self) -> set[tuple[str, int]]:
        """The hour's own file and those, by type and hour."""
        return {self.own, *((edge.neighbour.record_type, edge.neighbour.hour) for edge in self.edges)}

    @property
    def own(self) -> tuple[str, int]:
        """The type and the hour."""
        return self.record_type, self.rows.hour


class Outcome(NamedTuple):
    """The outcome for an hour's rows, and the files (type, hour) that have changed, now or in an earlier run."""

    merged: Merged
    touched: set[tuple[str, int]]


def plan(lake: LakePath, record_type: str, rows: HourRows, source: str) -> HourPlan:
    """Plan what is to be done to an hour. Reads the rows' times."""
    times = (read["time_us"] for read in rows.read(["time_us"]))
    return HourPlan(record_type, rows, source, edges.edges_of(lake, record_type, rows.hour, times))


def check(lake: LakePath, work: HourPlan, known: Known) -> None:
    """See that the files are what their records say: the hour's own in full, the others quickly.

    Raises:
        LakeChanged: one is not.
    """
    for record_type, hour in sorted(work.files):
        with locked(lake, [(record_type, hour)]):
            require(lake, record_type, hour, known, full=(record_type, hour) == work.own)


def commit(lake: LakePath, batch: Batch, work: HourPlan, known: Known) -> Outcome:
    """Merge the rows into the hour. A run that was killed has left its commits in the hour file.

    Only then do other files lose their later copies, looked up each time: a killed run may not have got there.

    Raises:
        LakeChanged: a file has changed since :func:`check`; nothing of this hour is written. Or another file that
            has copies to lose has other bytes; that one is not written.
    """
    path = layout.hour_file(lake, *work.own)
    with locked(lake, work.files):
        for record_type, hour in sorted(work.files):
            require(lake, record_type, hour, known)
        if not work.rows.parts and not mentions(path, batch.start):
            return Outcome(Merged(0, 0, 0), set())
        done = _merge(path, batch, work)
        for edge in work.edges:
            neighbour = edge.neighbour
            if len(copies := edges.displaced_copies(edge, batch.start)):
                require(lake, neighbour.record_type, neighbour.hour, known, full=True)
                edges.displace(edge, batch.start, copies, work.source)
            elif displaced_rows(neighbour.path, edge.taker(batch.start)):
                neighbour.path.settle()  # what an earlier run did, perhaps as its last act
        lost = {
            edge.neighbour: rows
            for edge in work.edges
            if (rows := displaced_rows(edge.neighbour.path, edge.taker(batch.start)))
        }
    # What an earlier run took is not this run's count, but its hour has changed.
    done.append(
        Merged(0, 0, sum(displaced.rows for displaced in lost.values() if displaced.source == work.source))
    )
    total = Merged(
        *(sum(getattr(merged_commit, name) for merged_commit in done) for name in Merged.__struct_fields__)
    )
    return Outcome(total, {work.own, *((side.record_type, side.hour) for side in lost)})


def _merge(path: LakePath, batch: Batch, work: HourPlan) -> list[Merged]:
    """Merge the rows commit by commit, and return the outcome of each; those that the file holds are left out."""
    parts = work.rows.parts
    done = commits_done(path, batch.start, work.source)
    rest = remaining(parts, done)
    if rest is None:
        done, rest = [], list(parts)
    todo = list(commits(work.rows.hour, rest))
    if not todo and not done:
        todo = [HourRows(work.rows.hour, [])]  # what an earlier run stored has to go
    if not todo:
        path.settle()  # the ledger is to rely on what an earlier run did, perhaps its last act
    for rows in todo:
        elsewhere = [edges.copies_that_stay(edge, rows.read, batch.start) for edge in work.edges]
        new = HourCommit(
            work.record_type,
            batch.start,
            rows.read,
            source=work.source,
            number=len(done),
            elsewhere=pa.concat_arrays([pa.array([], pa.string()), *elsewhere]),
            types=[*REGISTRY] if shares_queue(work.record_type) else (),
        )
        done.append(merge(path, new))
    return done
