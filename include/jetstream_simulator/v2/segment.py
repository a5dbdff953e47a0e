"""Sealed segment files (``.jss``) as a server writes them: blocks of events in columns, with an index after them.

Lives here: writing. Must not: the format itself (layout.py), which events, HTTP.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from itertools import chain
from typing import NamedTuple

import xxhash
import zstandard

from jetstream_simulator.v2 import layout
from jetstream_simulator.v2.layout import Row


class Block(NamedTuple):
    """A block's rows, and the sequence numbers that it covers: there may be fewer rows than that."""

    rows: Sequence[Row]
    min_seq: int
    max_seq: int


class Segment(NamedTuple):
    """A sealed file. ``frames`` are its blocks as they are stored, without their lengths."""

    data: bytes
    frames: tuple[bytes, ...]
    checksum: str
    events: int
    min_seq: int
    max_seq: int
    min_witnessed_us: int
    max_witnessed_us: int


def name(index: int) -> str:
    """The file name of segment number ``index``."""
    return f"seg_{index:010x}.jss"


def body(rows: Sequence[Row]) -> bytes:
    """The columns of a block, uncompressed."""
    n = len(rows)
    seqs, times, kinds, *texts, shown = zip(*rows, strict=True) if rows else ((),) * 9
    collections, dids, rkeys, revs, payloads = (list(map(len, column)) for column in texts)
    fixed = struct.pack(
        "<I" + "".join(f"{n}{code}" for code in layout.COLUMNS),
        *chain((n,), seqs, times, shown, kinds, collections, dids, rkeys, revs, payloads),
    )
    return fixed + b"".join(b"".join(column) for column in texts)


def build(blocks: Sequence[Block]) -> Segment:
    """The file of ``blocks``. Its Bloom filters are left empty: only the servers themselves read those."""
    compressor = zstandard.ZstdCompressor(level=3, write_checksum=True)
    bodies = [body(block.rows) for block in blocks]
    frames = tuple(map(compressor.compress, bodies))
    stored = b"".join(len(frame).to_bytes(layout.LENGTH_BYTES, "little") + frame for frame in frames)
    index = _block_index(blocks, bodies, frames)
    blooms = struct.pack("<II", len(blocks), 0)
    footer = index + blooms + _collection_index(blocks, compressor)
    footer_at = layout.HEADER_BYTES + len(stored)
    blooms_at = footer_at + len(index)
    extent = _extent(blocks)
    offsets = (footer_at, blooms_at, blooms_at, blooms_at + len(blooms), footer_at)
    fields = layout.FIELDS.pack(layout.VERSION, len(blocks), *extent, *offsets)
    fields = fields.ljust(layout.HEADER_BYTES - layout.FIELDS_AT, b"\0")
    checksum = xxhash.xxh3_64_intdigest(fields + footer)
    data = layout.MAGIC + checksum.to_bytes(8, "little") + fields + stored + footer
    events, _, *spans = extent
    return Segment(data, frames, f"{checksum:016x}", events, *spans)


def _extent(blocks: Sequence[Block]) -> tuple[int, ...]:
    """Events, accounts, and the least and greatest sequence number and witnessed time, as in the header."""
    rows = [row for block in blocks for row in block.rows]
    times = [row.witnessed_us for row in rows] or [0]
    accounts = len({row.did for row in rows})
    return len(rows), accounts, blocks[0].min_seq, blocks[-1].max_seq, min(times), max(times)


def _block_index(blocks: Sequence[Block], bodies: Sequence[bytes], frames: Sequence[bytes]) -> bytes:
    entries, offset = [], layout.HEADER_BYTES
    for block, plain, frame in zip(blocks, bodies, frames, strict=True):
        times = [row.witnessed_us for row in block.rows] or [0]
        sizes = (len(frame), len(plain), len(block.rows))
        entries.append(
            layout.INDEX_ENTRY.pack(offset, *sizes, block.min_seq, block.max_seq, min(times), max(times))
        )
        offset += layout.LENGTH_BYTES + len(frame)
    return b"".join(entries)


def _collection_index(blocks: Sequence[Block], compressor: zstandard.ZstdCompressor) -> bytes:
    counts: dict[bytes, int] = {}
    for row in chain.from_iterable(block.rows for block in blocks):
        if row.collection:
            counts[row.collection] = counts.get(row.collection, 0) + 1
    numbers = {collection: number for number, collection in enumerate(counts)}
    width = (len(counts) + 7) // 8
    table = [struct.pack("<BI", len(nsid), count) + nsid for nsid, count in counts.items()]
    masks = []
    for block in blocks:
        present = {numbers[row.collection] for row in block.rows if row.collection}
        masks.append(sum(1 << number for number in present).to_bytes(width, "little"))
    plain = b"".join(table + masks)
    return struct.pack("<IIII", len(counts), len(blocks), width, len(plain)) + compressor.compress(plain)
