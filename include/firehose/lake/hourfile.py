"""Replacing one hour file: what it holds, less this batch's earlier rows, plus this batch's new ones.

One pass over the old file, row group by row group, so memory is bounded by the new rows. Must not: know where
rows come from, or what a batch is beyond the value of a column.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import NamedTuple

import msgspec
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from firehose import crash, files, schema
from firehose.errors import CorruptLake

#: Rows of a row group: large enough to compress and to scan well, small enough to hold several.
ROW_GROUP_ROWS = 128 * 1024
#: A row group of giant posts ends sooner: who replaces the file holds one, and its sorted copy.
ROW_GROUP_BYTES = 256 * 1024 * 1024
# Delta encoding suits clocks, sequence numbers and TIDs, dictionaries the columns of few values; all other strings
# are near-random, where a dictionary only costs.
_ENCODINGS = {
    **dict.fromkeys(("time_us", "tid_us", "seq", "created_at"), "DELTA_BINARY_PACKED"),
    **dict.fromkeys(("rev", "rkey"), "DELTA_BYTE_ARRAY"),
}
_DICTIONARY = (
    "batch",
    "operation",
    "did",
    "langs.list.element",
    "embed_type",
    "collection",
    "status",
    "active",
    "subject_did",
    "subject_uri",
    "subject_cid",
    "reply_root_uri",
    "reply_root_cid",
)
# Rows of a row group are sorted by what many of them share, so that equal values meet: a fifth of a like file's
# size. The time within the hour follows, so that equal rows always lie in the same order.
_SORT: dict[str, list[tuple[str, str]]] = {
    record_type: [(column, "ascending"), ("time_us", "ascending")]
    for record_type, column in (
        (schema.POSTS, "reply_root_uri"),
        (schema.LIKES, "subject_uri"),
        (schema.REPOSTS, "subject_uri"),
        (schema.FOLLOWS, "did"),
        (schema.BLOCKS, "did"),
        (schema.IDENTITIES, "did"),
        (schema.ACCOUNTS, "did"),
        (schema.OTHER, "collection"),
    )
}
# In the file itself, so that it changes together with the rows: batch id to the rows that it has lost.
_DISPLACED = b"firehose:displaced"
# As well: batch id to the slices of it that are in the file.
_SLICES = b"firehose:slices"
# As well: batch id and neighbouring hour to the rows that its copies there have displaced here.
_TAKEN = b"firehose:taken"
_SEPARATOR = "\x1f"  # in no DID, TID, NSID or record key


class Merged(msgspec.Struct, frozen=True):
    """Of the new rows: stored, and dropped because the event is there already. ``displaced``: see LedgerCounts."""

    stored: int
    duplicates: int
    displaced: int


class _Done(msgspec.Struct, frozen=True):
    """Slices of one batch that a file holds, and the digest of what they were made of."""

    source: str
    slices: list[Merged]


class Taken(msgspec.Struct, frozen=True):
    """Rows that a batch's copies in a neighbouring hour have displaced; ``source`` is the digest of its slices."""

    source: str
    rows: int


def merge(
    path: Path,
    record_type: str,
    batch: datetime,
    new: pa.Table,
    *,
    source: str = "",
    number: int = 0,
    elsewhere: pa.Array | None = None,
) -> Merged:
    """Bring ``new`` rows of ``batch`` into an hour file. The file is replaced as a whole, or not at all.

    An event lies in the lake once: of two copies the one of the earlier batch stays, whatever the order in
    which batches come. ``number`` is that of the slice: with the first one, 0, the rows that this batch stored in
    an earlier run are dropped; to a later one they count as present. ``source`` is the digest of all slices; it is
    kept in the file with the outcome of each slice (see :func:`slices_done`). ``elsewhere`` are identities that a
    neighbouring hour has (see :func:`firehose.lake.edges.held`): their new rows are duplicates.

    Raises:
        CorruptLake: the old file cannot be read.
    """
    fresh = _distinct(record_type, new)
    if elsewhere is not None and len(elsewhere):
        fresh = fresh.filter(pc.invert(pc.is_in(identities(record_type, fresh), value_set=elsewhere)))
    keys = identities(record_type, fresh)
    taken = pa.array([], pa.string())
    noted = _noted(path)
    gone = Counter(noted.displaced)
    if number == 0:
        gone.pop(_id(batch), None)
    before = gone.total()
    with files.replacing(path) as part, _Writer(part, record_type) as writer:
        for old in _row_groups(path, record_type):
            kept, held, lost = _keep(record_type, old, batch, keys, first=number == 0)
            writer.write(kept)
            taken = pa.concat_arrays([taken, held])
            gone.update(lost)
        crash.reached(crash.Point.HOUR_COPIED)
        if len(taken):
            fresh = fresh.filter(pc.invert(pc.is_in(keys, value_set=taken)))
        writer.write(fresh)
        merged = Merged(len(fresh), len(new) - len(fresh), gone.total() - before)
        earlier = noted.slices[_id(batch)].slices[:number] if number else []
        slices = {**noted.slices, _id(batch): _Done(source, [*earlier, merged])}
        writer.note(_Noted(dict(gone), slices, noted.taken))
    return merged


def drop_later(path: Path, record_type: str, batch: datetime, keys: pa.Array, *, source: str, hour: int) -> None:
    """Drop the rows of later batches than ``batch`` whose identity is in ``keys``: it has them in ``hour``.

    They are noted as displaced (see :func:`displaced`), and as taken by ``batch`` (see :func:`taken`).

    Raises:
        CorruptLake: the old file cannot be read.
    """
    noted = _noted(path)
    gone: Counter[str] = Counter()
    with files.replacing(path) as part, _Writer(part, record_type) as writer:
        for old in _row_groups(path, record_type):
            kept, _, lost = _keep(record_type, old, batch, keys, first=False)
            writer.write(kept)
            gone.update(lost)
        crash.reached(crash.Point.HOUR_COPIED)
        before = taken(path, batch, hour)
        rows = gone.total() + (before.rows if before and before.source == source else 0)
        now = {**noted.taken, _taker(batch, hour): Taken(source, rows)}
        writer.note(_Noted(dict(Counter(noted.displaced) + gone), noted.slices, now))


def taken(path: Path, batch: datetime, hour: int) -> Taken | None:
    """What a batch's rows in the neighbouring ``hour`` have displaced in an hour file, or None.

    Raises:
        CorruptLake: the file cannot be read.
    """
    return _noted(path).taken.get(_taker(batch, hour))


def concerns(path: Path, batch: datetime) -> bool:
    """Whether an hour file may hold rows of a batch, or says that it has held some.

    Raises:
        CorruptLake: the file cannot be read.
    """
    noted = _noted(path)
    if _id(batch) in noted.slices or _id(batch) in noted.displaced:
        return True
    # An earlier version of this program noted no slices.
    return path.exists() and batch in _read_batches(path)


def slices_done(path: Path, batch: datetime, source: str) -> list[Merged]:
    """The slices of a batch, made of ``source``, that an hour file holds already: a killed run left them.

    Raises:
        CorruptLake: the file cannot be read.
    """
    done = _noted(path).slices.get(_id(batch))
    return [*done.slices] if done and done.source == source else []


def displaced(path: Path) -> dict[str, int]:
    """Rows that an hour file has lost to copies of earlier batches, by the id of the batch that had stored them.

    Raises:
        CorruptLake: the file cannot be read.
    """
    return _noted(path).displaced


class _Noted(NamedTuple):
    displaced: dict[str, int]
    slices: dict[str, _Done]
    taken: dict[str, Taken]


def _noted(path: Path) -> _Noted:
    """What a file says of the batches in it."""
    if not path.exists():
        return _Noted({}, {}, {})
    try:
        noted = pq.read_metadata(path).metadata or {}
    except (pa.ArrowInvalid, OSError) as error:
        raise corrupt(path, error) from error
    return _Noted(
        msgspec.json.decode(noted.get(_DISPLACED, b"{}"), type=dict[str, int]),
        msgspec.json.decode(noted.get(_SLICES, b"{}"), type=dict[str, _Done]),
        msgspec.json.decode(noted.get(_TAKEN, b"{}"), type=dict[str, Taken]),
    )


def _id(batch: datetime) -> str:
    return f"{batch:%Y%m%dT%H%M%SZ}"


def _taker(batch: datetime, hour: int) -> str:
    return f"{_id(batch)} {hour}"


def duplicated(record_type: str, table: pa.Table) -> int:
    """How many rows of a table are copies of an event in an earlier row."""
    return len(table) - len(pc.unique(identities(record_type, table)))


def _keep(
    record_type: str, old: pa.Table, batch: datetime, keys: pa.Array, *, first: bool
) -> tuple[pa.Table, pa.Array, Counter[str]]:
    """The rows of an old row group that stay, the new keys that they hold already, and rows displaced by batch."""
    mine = pa.scalar(batch, old.schema.field("batch").type)
    if first:
        old = old.filter(pc.not_equal(old["batch"], mine))
    old_keys = identities(record_type, old)
    again = pc.is_in(old_keys, value_set=keys)
    later = pc.and_(again, pc.greater(old["batch"], mine).combine_chunks())
    held = old_keys.filter(pc.and_not(again, later))
    losers = old["batch"].filter(later).value_counts().to_pylist()
    lost = Counter({_id(one["values"]): one["counts"] for one in losers})
    return (old.filter(pc.invert(later)) if lost else old), held, lost


def identities(record_type: str, table: pa.Table) -> pa.Array:
    """The identity of each row as one string, its parts joined; rules have seen to it that no part is null."""
    parts = [pc.cast(table[name], pa.string()).combine_chunks() for name in schema.IDENTITY[record_type]]
    return pc.binary_join_element_wise(*parts, _SEPARATOR)


def _distinct(record_type: str, table: pa.Table) -> pa.Table:
    """The first row of each event, in the order of the table."""
    keys = identities(record_type, table)
    if len(pc.unique(keys)) == len(table):
        return table
    indexed = pa.table({"key": keys, "index": pa.array(range(len(table)), pa.int64())})
    firsts = indexed.group_by("key").aggregate([("index", "min")])["index_min"]
    return table.take(firsts.take(pc.sort_indices(firsts)))


def _read_batches(path: Path) -> set[datetime]:
    """Whose rows a file holds."""
    try:
        with pq.ParquetFile(path) as source:
            groups = (source.read_row_group(index, ["batch"]) for index in range(source.num_row_groups))
            return {batch for rows in groups for batch in pc.unique(rows["batch"]).to_pylist()}
    except (pa.ArrowInvalid, OSError) as error:
        raise corrupt(path, error) from error


def _row_groups(path: Path, record_type: str) -> Iterator[pa.Table]:
    """The row groups of a file in today's schema, one at a time; none where there is no file."""
    if not path.exists():
        return
    try:
        with pq.ParquetFile(path) as source:
            for index in range(source.num_row_groups):
                yield _conform(source.read_row_group(index), schema.SCHEMAS[record_type])
    except (pa.ArrowInvalid, OSError) as error:
        raise corrupt(path, error) from error


def corrupt(path: Path, error: Exception) -> CorruptLake:
    """What to raise for an hour file that Arrow cannot read."""
    return CorruptLake(f"{path}: {error}; restore it from a backup, or clear the runs of its hour")


def _conform(table: pa.Table, wanted: pa.Schema) -> pa.Table:
    """A table written by an earlier version: columns that it did not know are null."""
    if table.schema.equals(wanted):
        return table
    known = set(table.schema.names)
    return pa.Table.from_arrays(
        [
            pc.cast(table[field.name], field.type) if field.name in known else pa.nulls(len(table), field.type)
            for field in wanted
        ],
        schema=wanted,
    )


class _Writer:
    """Writes tables as row groups of a fair size: small ones are gathered first."""

    def __init__(self, path: Path, record_type: str) -> None:
        self._record_type = record_type
        names = set(schema.SCHEMAS[record_type].names)
        self._file = pq.ParquetWriter(
            path,
            schema.SCHEMAS[record_type],
            compression="zstd",
            compression_level=3,
            use_dictionary=[name for name in _DICTIONARY if name.split(".")[0] in names],
            column_encoding={name: encoding for name, encoding in _ENCODINGS.items() if name in names},
            version="2.6",
        )
        self._waiting: list[pa.Table] = []

    def __enter__(self) -> _Writer:
        return self

    def __exit__(self, kind: object, error: object, trace: object) -> None:
        if kind is None:
            self._flush()
        self._file.close()

    def write(self, table: pa.Table) -> None:
        self._waiting.append(table)
        if sum(map(len, self._waiting)) >= ROW_GROUP_ROWS or _bytes(self._waiting) >= ROW_GROUP_BYTES:
            self._flush()

    def note(self, noted: _Noted) -> None:
        keyed = zip((_DISPLACED, _SLICES, _TAKEN), noted, strict=True)
        self._file.add_key_value_metadata({key: msgspec.json.encode(value) for key, value in keyed})

    def _flush(self) -> None:
        if any(map(len, self._waiting)):
            rows = pa.concat_tables(self._waiting)
            share = ROW_GROUP_BYTES / max(rows.nbytes, ROW_GROUP_BYTES)
            count = max(1, min(ROW_GROUP_ROWS, int(len(rows) * share)))
            for start in range(0, len(rows), count):
                group = rows.slice(start, count).sort_by(_SORT[self._record_type])
                self._file.write_table(group, row_group_size=count)
        self._waiting = []


def _bytes(tables: list[pa.Table]) -> int:
    return sum(table.nbytes for table in tables)
