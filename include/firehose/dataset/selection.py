"""A selection of rows: nothing is read until it is asked for as Arrow, pandas, polars or batch by batch.

Lives here: the order of the requests, and the forms of the answer. Must not: SQL, connecting.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from functools import cached_property
from typing import TYPE_CHECKING, Any, Final, NamedTuple, Unpack

import pyarrow as pa
from clickhouse_connect.driver.external import ExternalData

from firehose.client import IncompleteData
from firehose.dataset import arrow, statements
from firehose.dataset.asked import Asked, Narrowing
from firehose.dataset.completeness import Completeness, completeness
from firehose.dataset.sources import Source
from firehose.dataset.statements import Part
from firehose.errors import FirehoseError
from firehose.warehouse.client import clickhouse_errors
from firehose.warehouse.stream import streamed

if TYPE_CHECKING:
    import pandas as pd
    import polars as pl

#: Key of an Arrow table's metadata, and of a pandas frame's ``attrs``.
METADATA: Final = "firehose:completeness"


class _Snapshot(NamedTuple):
    """What was published when the selection was first read: the same rows however often it is read."""

    completeness: Completeness
    runs: list[tuple[int, int]]
    parts: list[Part]


class Selection:
    """Rows of one type. What is read is what was published when a first answer was asked for.

    A batch that is published meanwhile is in none of its rows. ``where`` makes another selection, which looks
    again.
    """

    def __init__(self, source: Source, asked: Asked) -> None:
        self._source, self.asked = source, asked

    def where(self, **narrowing: Unpack[Narrowing]) -> Selection:
        """Another selection: as this one, with these arguments in place of what was asked before.

        ``since``, ``until``: witnessed time, as a ``datetime`` with a zone, a ``date`` (a day in UTC) or ISO text;
        ``until`` is the first moment after the span. ``accounts``: DIDs. ``sample``: a share of all accounts, each
        with all that it did, or with ``sample_by="record"`` of all records, each with all that happened to it; the
        same ones on every day and in every source. ``columns``: names; only these are read.

        Raises:
            FirehoseError: a value makes no sense; the message says which one would.
        """
        return Selection(self._source, self.asked.narrowed(narrowing))

    @property
    def schema(self) -> pa.Schema:
        """Columns, types and comments, as docs/schema.md has them. Reads nothing."""
        return arrow.schema_of(self.asked.shown)

    @property
    def completeness(self) -> Completeness:
        """What is there and what is missing of the hours and types that are read."""
        return self._snapshot.completeness

    def batches(self) -> Iterator[pa.RecordBatch]:
        """The rows in batches, in bounded memory: hour after hour, in no order within a request.

        Raises:
            FirehoseError: ClickHouse refuses, or an hour file cannot be read.
            ServiceUnavailable: the connection broke. What was yielded is right, and not all.
        """
        self._warn()
        return self._batches()

    def to_arrow(self) -> pa.Table:
        """All rows. The schema's metadata has the completeness as JSON, under ``firehose:completeness``."""
        self._warn()
        table = pa.Table.from_batches(self._batches(), self.schema)
        return table.replace_schema_metadata({METADATA: self.completeness.to_json()})

    def to_pandas(self) -> pd.DataFrame:
        """All rows; ``attrs`` has the completeness. Integers and booleans are of pandas' types that know NA."""
        import pandas as pd

        self._warn()
        nullable: dict[pa.DataType, Any] = {
            pa.int16(): pd.Int16Dtype(),
            pa.int32(): pd.Int32Dtype(),
            pa.int64(): pd.Int64Dtype(),
            pa.bool_(): pd.BooleanDtype(),
        }
        frame: pd.DataFrame = pa.Table.from_batches(self._batches(), self.schema).to_pandas(
            types_mapper=nullable.get
        )
        frame.attrs[METADATA] = self.completeness.to_json().decode()
        return frame

    def to_polars(self) -> pl.DataFrame:
        """All rows. A polars frame has no metadata: keep the selection for its completeness.

        Raises:
            FirehoseError: polars is not installed.
        """
        try:
            import polars as pl
        except ImportError:
            raise FirehoseError("polars is not installed here: pip install polars") from None
        self._warn()
        frame = pl.from_arrow(pa.Table.from_batches(self._batches(), self.schema))
        assert isinstance(frame, pl.DataFrame)  # noqa: S101 - of a table
        return frame

    @cached_property
    def _snapshot(self) -> _Snapshot:
        client = self._source.ready(self.asked.record_type)
        with clickhouse_errors():
            # Before the batches: rows of one that is loaded in between are more than completeness says.
            hours = client.query(statements.completeness(self.asked), tz_mode="aware").result_rows
            gaps = client.query(statements.gaps(self.asked), tz_mode="aware").result_rows
            ((begins, ends),) = client.query(statements.BOUNDS).result_rows
            runs = [(int(first), int(end)) for first, end in client.query(statements.RUNS).result_rows]
            written = client.query(statements.hours(self.asked)).result_rows
        found = completeness(self.asked, hours, gaps, (begins, ends))
        return _Snapshot(found, runs, [*statements.parts(written)])

    def _warn(self) -> None:
        if missing := self.completeness.missing:
            said = f"{missing}; .completeness has the hours and gaps"
            warnings.warn(said, IncompleteData, stacklevel=3)

    def _batches(self) -> Iterator[pa.RecordBatch]:
        snapshot, wanted = self._snapshot, self.schema
        client = self._source.ready(self.asked.record_type)
        for part in snapshot.parts:
            statement = statements.rows(self.asked, snapshot.runs, part)
            with streamed(client, statement, "ArrowStream", tables=self._accounts()) as body:
                for batch in pa.ipc.open_stream(body):
                    yield arrow.conform(batch, wanted)

    def _accounts(self) -> ExternalData | None:
        """The accounts as a table that comes with the request: there may be more than a statement can hold."""
        if self.asked.accounts is None:
            return None
        lines = "".join(f"{account}\n" for account in self.asked.accounts)
        return ExternalData(file_name=statements.ACCOUNTS, data=lines.encode(), fmt="TSV", structure="did String")
