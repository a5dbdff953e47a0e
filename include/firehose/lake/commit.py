"""What a batch does to one hour of one type: its rows into the hour file, and copies that it displaces beside it.

Takes the locks of the hours. Must not: know of other types, or write the ledger.
"""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import pyarrow as pa

from firehose import files
from firehose.batch.interval import Batch
from firehose.lake import edges, layout
from firehose.lake.edges import Edge
from firehose.lake.hourfile import merge
from firehose.lake.locks import locked
from firehose.lake.notes import Merged, commits_done, concerns, taken
from firehose.lake.staged import Commit, commits, left
from firehose.lake.watch import Known, require


class HourCommit(NamedTuple):
    """A batch's rows of one hour and type (perhaps none), and the neighbouring hours that they come near to.

    ``source`` is the digest of all that the batch has of the type.
    """

    record_type: str
    rows: Commit
    source: str
    edges: list[Edge]

    @property
    def hours(self) -> set[int]:
        """The hour, and those neighbours."""
        return {self.rows.hour, *(edge.neighbour for edge in self.edges)}


class Outcome(NamedTuple):
    """What became of an hour's rows, and the hours whose files have changed, now or in an earlier run."""

    merged: Merged
    touched: set[int]


def plan(lake: Path, record_type: str, rows: Commit, source: str) -> HourCommit:
    """What is to be done to an hour. Reads the rows' times."""
    beside = edges.neighbours(rows.hour, (read["time_us"] for read in rows.read(["time_us"])))
    return HourCommit(
        record_type, rows, source, [edges.edge(lake, record_type, rows.hour, neighbour) for neighbour in beside]
    )


def check(lake: Path, work: HourCommit, known: Known) -> None:
    """See that the files are what their records say: the hour's own in full, the neighbours' quickly.

    Raises:
        LakeChanged: one is not.
    """
    for hour in sorted(work.hours):
        with locked(lake, work.record_type, [hour]):
            require(lake, work.record_type, hour, known, full=hour == work.rows.hour)


def commit(lake: Path, batch: Batch, work: HourCommit, known: Known) -> Outcome:
    """Merge the rows into the hour. A run that was killed has left its commits in the hour file.

    Only then do the neighbours lose their later copies, always anew: the killed run may not have come so far.

    Raises:
        LakeChanged: a file has changed since :func:`check`; nothing of this hour is written. Or a neighbour that
            has copies to lose has other bytes; that one is not written.
    """
    hour, path = work.rows.hour, layout.hour_file(lake, work.record_type, work.rows.hour)
    with locked(lake, work.record_type, work.hours):
        for looked_at in sorted(work.hours):
            require(lake, work.record_type, looked_at, known)
        if not work.rows.parts and not concerns(path, batch.start):
            return Outcome(Merged(0, 0, 0), set())
        done = _merge(path, batch, work)
        for edge in work.edges:
            if len(copies := edges.displaced_copies(edge, batch.start)):
                require(lake, work.record_type, edge.neighbour, known, full=True)
                edges.displace(edge, batch.start, copies, work.source)
            elif taken(edge.there, batch.start, hour):
                files.settle(edge.there)  # what an earlier run did, perhaps as its last act
        lost = {edge.neighbour: one for edge in work.edges if (one := taken(edge.there, batch.start, hour))}
    # What an earlier run took is not this run's count, but its hour has changed.
    done.append(Merged(0, 0, sum(one.rows for one in lost.values() if one.source == work.source)))
    total = Merged(*(sum(getattr(one, name) for one in done) for name in Merged.__struct_fields__))
    return Outcome(total, {hour, *lost})


def _merge(path: Path, batch: Batch, work: HourCommit) -> list[Merged]:
    """What became of an hour's rows, commit by commit; those that the hour file holds are not merged again."""
    parts = work.rows.parts
    done = commits_done(path, batch.start, work.source)
    rest = left(parts, done)
    if rest is None:
        done, rest = [], list(parts)
    todo = list(commits(work.rows.hour, rest))
    if not todo and not done:
        todo = [Commit(work.rows.hour, [])]  # what an earlier run stored has to go
    if not todo:
        files.settle(path)  # the ledger is to rely on what an earlier run did, perhaps its last act
    for one in todo:
        held = [edges.held(edge, one.read, batch.start) for edge in work.edges]
        done.append(
            merge(
                path,
                work.record_type,
                batch.start,
                one.read,
                source=work.source,
                number=len(done),
                elsewhere=pa.concat_arrays([pa.array([], pa.string()), *held]),
            )
        )
    return done
