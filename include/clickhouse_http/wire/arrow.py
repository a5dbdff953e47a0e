"""Arrow results: the batches of a stream in one document, with DateTime as a timestamp.

Lives here: joining batches, and the types that the engine leaves out. Must not: other formats, the engine.

The engine writes DateTime as an integer of 32 bits, like UInt32; only its plan says which column is which.
"""

from __future__ import annotations

import io
from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, Final

from clickhouse_http import exceptions
from clickhouse_http.wire.native_types import arguments, unlabelled

if TYPE_CHECKING:
    import pyarrow as pa

#: Formats by their names in lower case, and whether they are streams.
FORMATS: Final = {"arrow": False, "arrowstream": True}
_TRANSPARENT: Final = ("Nullable", "LowCardinality", "SimpleAggregateFunction")
_TIME: Final = "DateTime"


class Arrow:
    """Joins chunks, each of which is a complete document, into one document.

    ``types``: the types of the columns in ClickHouse's words; ``zone``: the time zone of a DateTime without one.
    """

    def __init__(self, types: Sequence[str], zone: str, *, stream: bool) -> None:
        import pyarrow as pa

        self._pa = pa
        self._types = types
        self._zone = zone
        self._stream = stream
        self._sink = io.BytesIO()
        self._writer: pa.RecordBatchStreamWriter | None = None
        self._schema: pa.Schema | None = None

    def add(self, chunk: memoryview | bytes) -> Iterable[memoryview | bytes]:
        """The bytes for the batches of one more chunk.

        Raises:
            QueryError: 36, a column beside a DateTime has a name that is not UTF-8.
        """
        try:
            self._write(chunk)
        except UnicodeDecodeError:
            raise exceptions.refused(
                exceptions.BAD_ARGUMENTS,
                "The name of a column is not valid UTF-8, which Arrow requires; rename it.",
            ) from None
        return (self._take(),)

    def _write(self, chunk: memoryview | bytes) -> None:
        ipc = self._pa.ipc
        with ipc.open_stream(chunk) if self._stream else ipc.open_file(chunk) as reader:
            if self._writer is None or self._schema is None:
                self._schema = self._timed(reader.schema)
                begin = ipc.new_stream if self._stream else ipc.new_file
                self._writer = begin(self._sink, self._schema)
            for batch in reader if self._stream else map(reader.get_batch, range(reader.num_record_batches)):
                self._writer.write_batch(self._cast(batch, self._schema))

    def end(self) -> bytes:
        """The bytes after the last batch."""
        if self._writer is not None:
            self._writer.close()
        return self._take()

    def _timed(self, schema: pa.Schema) -> pa.Schema:
        if len(self._types) != len(schema):
            return schema
        fields = [
            field.with_type(_replaced(field.type, name, self._time))
            for field, name in zip(schema, self._types, strict=True)
        ]
        return self._pa.schema(fields, schema.metadata)

    def _time(self, name: str) -> pa.DataType:
        zone = arguments(name[len(_TIME) :])
        return self._pa.timestamp("s", zone[0].strip("'") if zone else self._zone)

    def _cast(self, batch: pa.RecordBatch, schema: pa.Schema) -> pa.RecordBatch:
        """Arrow casts 32 bits to a timestamp only by way of 64 bits."""
        if batch.schema.equals(schema):
            return batch
        columns = []
        for column, field, name in zip(batch.columns, schema, self._types, strict=True):
            if column.type != field.type:
                column = column.cast(_replaced(column.type, name, lambda _: self._pa.int64()))
            columns.append(column.cast(field.type))
        return self._pa.RecordBatch.from_arrays(columns, schema=schema)

    def _take(self) -> bytes:
        taken = self._sink.getvalue()
        self._sink.seek(0)
        self._sink.truncate()
        return taken


def _replaced(kind: pa.DataType, name: str, time: Callable[[str], pa.DataType]) -> pa.DataType:
    """``kind`` with ``time`` in the place of each DateTime of the type ``name``."""
    import pyarrow as pa

    base = name.partition("(")[0]
    parts = arguments(name[len(base) :])
    if base in _TRANSPARENT:
        return _replaced(kind, parts[-1], time)
    if base == _TIME and pa.types.is_uint32(kind):
        return time(name)
    if base == "Array" and pa.types.is_list(kind):
        return pa.list_(kind.value_field.with_type(_replaced(kind.value_type, parts[0], time)))
    if base == "Map" and pa.types.is_map(kind):
        key, item = kind.key_field, kind.item_field
        return pa.map_(
            key.with_type(_replaced(key.type, parts[0], time)),
            item.with_type(_replaced(item.type, parts[1], time)),
        )
    if base == "Tuple" and pa.types.is_struct(kind) and kind.num_fields == len(parts):
        fields = (kind.field(number) for number in range(kind.num_fields))
        return pa.struct(
            [
                field.with_type(_replaced(field.type, unlabelled(part), time))
                for field, part in zip(fields, parts, strict=True)
            ]
        )
    return kind
