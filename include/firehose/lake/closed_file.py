"""Writing the rows of an hour in closed form: in the order of time, in large row groups, packed column by column.

Held in memory are the rows in closed form with each repeated text once, and one row group of them in order: an
hour that is too large for that is gone through several times, a span of time each. Must not: know when an hour is
closed, or what takes whose place.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from pandas.util import hash_array

from firehose.lake import closed_form
from firehose.lake.identity import identities
from firehose.lake.plain import PART_ROWS
from firehose.records.columns import Column, Packing
from firehose.records.registry import REGISTRY
from firehose.store import LakePath

#: Rows of a row group, and bytes of them in memory: where a text is repeated, a larger group has it once.
GROUP_ROWS: Final = 4 * 1024 * 1024
GROUP_BYTES: Final = 512 * 1024 * 1024
_DICTIONARY: Final = (Packing.FEW, Packing.SHARED)
_BLOOM: Final = 0.1  # of the groups that lack a value, the share that looks as if they had it
_KEY: Final = "same-time-events"
_DICTIONARY_BYTES: Final = 256 * 1024 * 1024
_PAGE_BYTES: Final = 16 * 1024 * 1024  # a page is compressed by itself: texts in larger ones take less

Read = Callable[[], Iterable[pa.Table]]


def write(path: LakePath, record_type: str, read: Read, spans: int, notes: dict[bytes, bytes]) -> None:
    """Write the rows that ``read`` gives, plain and in any order, each time it is called.

    ``spans``: in how many spans of time. ``notes`` are what the footer says beside the form and the CIDs' digest.
    """
    digest = hashlib.sha256()
    writer: pq.ParquetWriter | None = None
    try:
        for first, last in _spans(read, spans):
            for group in _in_order(record_type, read, first, last):
                writer = writer or _writer(path, record_type, group)
                _digest(digest, record_type, group)
                writer.write_table(group, row_group_size=max(len(group), 1))
        writer = writer or _writer(path, record_type, closed_form.schema(record_type).empty_table())
        noted = {closed_form.KEY: closed_form.CLOSED.encode(), closed_form.CIDS: digest.hexdigest().encode()}
        writer.add_key_value_metadata({**notes, **noted})
    finally:
        if writer is not None:
            writer.close()


def _digest(digest: Any, record_type: str, group: pa.Table) -> None:
    for start in range(0, len(group) if REGISTRY[record_type].is_commit else 0, PART_ROWS):
        part = group.slice(start, PART_ROWS).combine_chunks()
        closed_form.add_cids(digest, record_type, closed_form.decode(record_type, part, ["cid"]))


def _spans(read: Read, count: int) -> list[tuple[int, int]]:
    """Spans of witnessed time, both ends included, that hold about as many rows each."""
    everything = [(-(2**63), 2**63 - 1)]
    if count < 2:
        return everything
    times = np.sort(np.concatenate([rows["time_us"].to_numpy() for rows in read()]))
    cuts = np.unique(times[[len(times) * n // count for n in range(1, count)]]).tolist()
    starts = [everything[0][0], *cuts]
    return list(zip(starts, [*(cut - 1 for cut in cuts), everything[0][1]], strict=True))


def _in_order(record_type: str, read: Read, first: int, last: int) -> Iterator[pa.Table]:
    """The rows of a span in closed form, in order, by row groups."""
    parts, keys = [], []
    for rows in read():
        times = rows["time_us"]
        within = rows.filter(pc.and_(pc.greater_equal(times, first), pc.less_equal(times, last)))
        if len(within):
            keys.append(_key(record_type, within))
            parts.append(_compact(record_type, closed_form.encode(record_type, within)))
    if not parts:
        return
    whole = pa.concat_tables(parts).unify_dictionaries().combine_chunks()
    parts.clear()
    order = np.argsort(np.concatenate(keys), order=("time", "event"), kind="stable")
    count = max(-(-len(whole) // GROUP_ROWS), -(-whole.nbytes // GROUP_BYTES))
    for rows_of in np.array_split(order, count):
        group = whole.take(pa.array(rows_of))
        yield _own_dictionaries(group)


def _key(record_type: str, rows: pa.Table) -> npt.NDArray[Any]:
    """What rows are sorted by: the time, then the event, so that the same rows always lie in the same order."""
    found = np.empty(len(rows), [("time", np.int64), ("event", np.uint64)])
    found["time"] = rows["time_us"].to_numpy()
    found["event"] = _event_digests(identities(record_type, rows))
    return found


def _event_digests(events: pa.Array) -> npt.NDArray[np.uint64]:
    # Not the fingerprints, whose keys are drawn by chance.
    values = events.cast(pa.binary()).to_numpy(zero_copy_only=False)
    return hash_array(values, hash_key=_KEY, categorize=False)


def _compact(record_type: str, rows: pa.Table) -> pa.Table:
    """Repeated texts once."""
    for number, column in enumerate(closed_form.columns(record_type)):
        if _packing(column) in _DICTIONARY and pa.types.is_string(column.type):
            rows = rows.set_column(number, column.name, rows[column.name].dictionary_encode())
    return rows


def _own_dictionaries(group: pa.Table) -> pa.Table:
    """A group with the texts that it has, in their own order: neighbours begin alike, and zstd sees that.

    The order is free, since Parquet gives each number as many bits whatever the order; and the same rows give the
    same bytes.
    """
    for number, field in enumerate(group.schema):
        if pa.types.is_dictionary(field.type):
            column = group[field.name].combine_chunks()
            used = column.dictionary.take(pc.unique(column.indices).drop_null())
            texts = used.take(pc.sort_indices(used))
            codes = pc.index_in(column.dictionary, value_set=texts).take(column.indices)
            own = pa.DictionaryArray.from_arrays(codes, texts)
            group = group.set_column(number, field.name, own)
    return group


def _writer(path: LakePath, record_type: str, group: pa.Table) -> pq.ParquetWriter:
    of, columns = REGISTRY[record_type], closed_form.columns(record_type)
    return pq.ParquetWriter(
        path,
        group.schema,
        compression="zstd",
        compression_level={_path(column): column.level for column in columns},
        use_dictionary=[_path(column) for column in columns if _packing(column) in _DICTIONARY],
        column_encoding={
            _path(column): _packing(column).value
            for column in columns
            if _packing(column) not in (*_DICTIONARY, Packing.PLAIN)
        },
        write_statistics=[_path(column) for column in columns if _is_small(column, of.identity)],
        bloom_filter_options=_bloom(group, dict.fromkeys(("did", of.sort))),
        dictionary_pagesize_limit=_DICTIONARY_BYTES,
        max_rows_per_page=PART_ROWS,
        data_page_size=_PAGE_BYTES,
        write_page_index=True,
        store_schema=False,
        version="2.6",
    )


def _bloom(group: pa.Table, names: Iterable[str]) -> dict[str, dict[str, Any]]:
    """Bloom filters of the columns that one looks for values of: the account and the subject."""
    counts = {name: sum(len(chunk.dictionary) for chunk in group[name].chunks) for name in names if len(group)}
    return {name: {"ndv": count, "fpp": _BLOOM} for name, count in counts.items() if count}


def _is_small(column: Column, identity: Sequence[str]) -> bool:
    """Whether its least and greatest values are worth their place."""
    return column.packing is not Packing.PLAIN or column.name in identity


def _packing(column: Column) -> Packing:
    return column.closed or column.packing


def _path(column: Column) -> str:
    """A column as Parquet names it."""
    return f"{column.name}.list.element" if pa.types.is_list(column.type) else column.name
