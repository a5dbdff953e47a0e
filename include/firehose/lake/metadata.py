"""The metadata at a Parquet file's end: where its row groups lie, and what to write of one that lies elsewhere.

Format: ``parquet.thrift`` of apache/parquet-format; the footer is a FileMetaData in Thrift's compact protocol.
Must not: know what a row means, read rows, write files.
"""

from __future__ import annotations

from collections.abc import Iterable
from itertools import pairwise
from typing import Any, BinaryIO, Final, NamedTuple

from firehose.lake import thrift
from firehose.lake.rowgroups import corrupt
from firehose.lake.thrift import Field, Kind, Struct
from firehose.store import LakePath

_MAGIC: Final = b"PAR1"
_LENGTH: Final = 4  # bytes of the footer's length
_TAIL: Final = _LENGTH + len(_MAGIC)

# Fields of FileMetaData. Those of the form are alike in files of one schema and one writer.
_SCHEMA, _ROWS, _GROUPS, _NOTES = 2, 3, 4, 5
_FORM: Final = (1, _SCHEMA, 6, 7)  # version, schema, created_by, column_orders
_CHILDREN: Final = 5  # of SchemaElement: a column has none
# Of RowGroup.
_COLUMNS, _GROUP_BYTES, _GROUP_ROWS, _GROUP_OFFSET, _PACKED_BYTES, _ORDINAL = 1, 2, 3, 5, 6, 7
# Of ColumnChunk: where another copy of its metadata lies, the metadata, where the page indexes lie.
_CHUNK_OFFSET, _CHUNK, _PAGE_INDEXES = 2, 3, (4, 5, 6, 7)
_CHUNK_KNOWN: Final = {_CHUNK_OFFSET, _CHUNK, *_PAGE_INDEXES}  # others: another file, encryption
# Of ColumnMetaData.
_CHUNK_BYTES, _PAGES, _INDEX_PAGE, _DICTIONARY, _BLOOM_FILTER = 7, 9, 10, 11, (14, 15)
#: Schema and writer of a file.
Form = list[Field | None]


class Group(NamedTuple):
    """A row group that can be copied: its rows, the bytes that they take encoded, and where its chunks lie."""

    rows: int
    bytes: int
    fields: Struct
    chunks: list[range]


class FileMetadata(NamedTuple):
    """A file's footer as it is, the keys of its notes, and where it begins."""

    fields: Struct
    notes: frozenset[bytes]
    end: int

    @property
    def form(self) -> Form:
        """Schema and writer: files that have these alike can have each other's row groups."""
        return [self.fields.get(number) for number in _FORM]


def read_metadata(path: LakePath) -> FileMetadata:
    """Read a file's footer.

    Raises:
        CorruptLake: it has none.
    """
    try:
        with path.reading() as stream:
            return metadata_in(stream)
    except (thrift.Malformed, OSError) as error:
        raise corrupt(path, error) from error


def metadata_in(stream: BinaryIO) -> FileMetadata:
    """The footer of a file's content.

    Raises:
        Malformed: it has none.
    """
    size = stream.seek(0, 2)
    stream.seek(max(size - _TAIL, 0))
    tail = stream.read(_TAIL)
    end = size - _TAIL - int.from_bytes(tail[:_LENGTH], "little")
    if tail[_LENGTH:] != _MAGIC or end < len(_MAGIC):
        raise thrift.Malformed("it does not end as a Parquet file does")
    stream.seek(end)
    fields = thrift.decode(stream.read(size - _TAIL - end))
    pairs = _items(fields, _NOTES) if _NOTES in fields else []
    return FileMetadata(fields, frozenset(_value(pair, 1, Kind.BINARY) for pair in pairs), end)


def groups_of(path: LakePath, metadata: FileMetadata) -> list[Group]:
    """The row groups of a file that this version has written.

    Raises:
        CorruptLake: the footer contradicts itself, or names bytes that are no column's.
    """
    try:
        columns = sum(1 for element in _items(metadata.fields, _SCHEMA) if _CHILDREN not in element)
        groups = [_group(group, columns) for group in _items(metadata.fields, _GROUPS)]
        _require_apart([chunk for group in groups for chunk in group.chunks], metadata.end)
        if sum(group.rows for group in groups) != _number(metadata.fields, _ROWS):
            raise thrift.Malformed("its row groups have other numbers of rows than it has")
    except thrift.Malformed as error:
        raise corrupt(path, error) from error
    return groups


def _group(fields: Struct, columns: int) -> Group:
    chunks = [_chunk(chunk) for chunk in _items(fields, _COLUMNS)]
    if len(chunks) != columns:
        raise thrift.Malformed(f"a row group has {len(chunks)} columns of {columns}")
    return Group(_number(fields, _GROUP_ROWS), _number(fields, _GROUP_BYTES), fields, chunks)


def _chunk(column: Struct) -> range:
    """The bytes of a column chunk: from its dictionary, or else its first page, on."""
    if foreign := column.keys() - _CHUNK_KNOWN:
        raise thrift.Malformed(f"a column that lies elsewhere or is encrypted (fields {sorted(foreign)})")
    metadata = _value(column, _CHUNK, Kind.STRUCT)
    places = [_PAGES, *(number for number in (_INDEX_PAGE, _DICTIONARY) if number in metadata)]
    start = min(_number(metadata, place) for place in places)
    return range(start, start + _number(metadata, _CHUNK_BYTES))


def _require_apart(chunks: list[range], end: int) -> None:
    """See that no two chunks overlap, and that all lie between the file's beginning and its footer."""
    bounds = [range(len(_MAGIC)), *sorted(chunks, key=lambda chunk: chunk.start), range(end, end + 1)]
    if any(after.start < before.stop or before.stop < before.start for before, after in pairwise(bounds)):
        raise thrift.Malformed("its columns overlap, or lie outside of the file")


def moved(group: Group, start: int) -> Struct:
    """The description of a group that is copied to ``start``, its chunks one after the other."""
    columns, at = [], start
    for column, chunk in zip(group.fields[_COLUMNS].value.values, group.chunks, strict=True):
        columns.append(_moved_column(column, at - chunk.start))
        at += len(chunk)
    fields = group.fields | {
        _COLUMNS: Field(Kind.LIST, thrift.Items(Kind.STRUCT, columns)),
        _GROUP_OFFSET: Field(Kind.I64, start),
        _PACKED_BYTES: Field(Kind.I64, at - start),
    }
    return _without(dict(sorted(fields.items())), [_ORDINAL])  # its number in the other file


def file_end(own: FileMetadata, added: list[Struct]) -> bytes:
    """The bytes from the footer on of a file to which these groups were added."""
    groups = [*_items(own.fields, _GROUPS), *added]
    fields = own.fields | {
        _ROWS: Field(Kind.I64, sum(_number(group, _GROUP_ROWS) for group in groups)),
        _GROUPS: Field(Kind.LIST, thrift.Items(Kind.STRUCT, groups)),
    }
    footer = thrift.encode(fields)
    return footer + len(footer).to_bytes(_LENGTH, "little") + _MAGIC


def _moved_column(column: Struct, by: int) -> Struct:
    metadata: Struct = dict(column[_CHUNK].value)
    for place in (_PAGES, _INDEX_PAGE, _DICTIONARY):
        if place in metadata:
            metadata[place] = Field(Kind.I64, metadata[place].value + by)
    metadata = _without(metadata, _BLOOM_FILTER)
    chunk = column | {_CHUNK_OFFSET: Field(Kind.I64, 0), _CHUNK: Field(Kind.STRUCT, metadata)}
    return _without(dict(sorted(chunk.items())), _PAGE_INDEXES)


def _without(struct: Struct, numbers: Iterable[int]) -> Struct:
    return {number: field for number, field in struct.items() if number not in numbers}


def _value(struct: Struct, number: int, kind: Kind) -> Any:
    field = struct.get(number)
    if field is None or field.kind is not kind:
        there = "missing" if field is None else f"of type {field.kind.name}"
        raise thrift.Malformed(f"its footer is damaged: field {number} is {there}, not of type {kind.name}")
    return field.value


def _number(struct: Struct, number: int) -> int:
    if (value := int(_value(struct, number, Kind.I64))) < 0:
        raise thrift.Malformed(f"its footer is damaged: field {number} is {value}")
    return value


def _items(struct: Struct, number: int) -> list[Struct]:
    items = _value(struct, number, Kind.LIST)
    if items.kind is not Kind.STRUCT and items.values:
        raise thrift.Malformed(f"its footer is damaged: field {number} is a list of {items.kind.name}")
    return list(items.values)
