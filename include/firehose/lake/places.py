"""Whether each row lies where it belongs: in its hour, in its account's file, and its event in no other file.

A part of :mod:`firehose.lake.verify`, which adds what it finds to its report. Reads only.
"""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from firehose import schema
from firehose.errors import CorruptLake
from firehose.lake import edges, layout
from firehose.lake.edges import Edge
from firehose.lake.layout import HourFile
from firehose.lake.report import VerifyReport
from firehose.lake.users import Layout
from firehose.records.registry import catch_all
from firehose.store import LakePath


def verify_rows(name: str, table: pa.Table, file: HourFile, by: Layout, report: VerifyReport) -> None:
    """Each row was witnessed in the hour of its file, and is of an account that has it for its own."""
    other = table["time_us"].to_numpy() // layout.HOUR_US != file.hour
    for number in np.flatnonzero(other).tolist():
        event = " ".join(str(table[column][number]) for column in schema.IDENTITY[file.record_type])
        report.add(f"{name}: {event} was witnessed at {table['time_us'][number]}, in another hour")
    if file.user or by.by_user:
        for did in pc.unique(table["did"]).to_pylist():
            if by.file_with(did) != file.user:
                report.add(f"{name}: has rows of {did}, which belong into another file of the hour")


def verify_neighbours(lake: LakePath, record_type: str, report: VerifyReport) -> None:
    """No event lies in two neighbouring hours."""
    there = {layout.file_of(path) for path in layout.hour_files(lake, record_type)}
    for file in sorted(there):
        _verify_between(lake, file, record_type, file.hour + 1, report)


def verify_catch_all(lake: LakePath, record_type: str, report: VerifyReport) -> None:
    """No event of the type lies as well in a file of the catch-all, from before the type had files of its own."""
    if (last := catch_all(record_type)) is None:
        return
    for file in map(layout.file_of, layout.hour_files(lake, record_type)):
        for beside in (file.hour - 1, file.hour, file.hour + 1):
            _verify_between(lake, file, last.name, beside, report)


def _verify_between(lake: LakePath, file: HourFile, record_type: str, hour: int, report: VerifyReport) -> None:
    """An hour file against those of another hour or type. What cannot be read was reported with its rows."""
    try:
        for edge in edges.edges_of(lake, file, [(hour, record_type)]):
            _verify_edge(lake, edge, report)
    except CorruptLake:
        return


def _verify_edge(lake: LakePath, edge: Edge, report: VerifyReport) -> None:
    again = edges.doubled(edge)
    if again:
        report.types[edge.own.record_type].duplicates += again
        report.add(
            f"{edge.own.path.key_in(lake)} and {edge.neighbour.path.key_in(lake)}: {again} events lie in "
            "both; clear the run of the earlier batch that holds them"
        )
