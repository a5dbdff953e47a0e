"""Reads sealed segment files (``.jss``): metadata under a checksum, and blocks of events in columns.

Lives here: pure functions that trust no length. Must not: the format itself (format.py), HTTP, files.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from itertools import accumulate, pairwise
from typing import Final, NamedTuple

import xxhash
import zstandard

from firehose.backfill import format as layout
from firehose.backfill.format import Row
from firehose.errors import CorruptArchive

#: Of a block, both stored and decompressed. The servers' blocks have a few MiB.
MOST_BLOCK_BYTES: Final = 128 << 20
#: The servers' blocks have a few thousand rows; each row takes a few hundred bytes of memory besides its content.
MOST_BLOCK_ROWS: Final = 1 << 19
#: The metadata after the blocks.
MOST_FOOTER_BYTES: Final = 256 << 20
HEADER_BYTES: Final = layout.HEADER_BYTES


class Header(NamedTuple):
    """The part of a header that a reader needs. ``fields`` are the bytes under the checksum."""

    checksum: str
    blocks: int
    footer_at: int
    index_at: int
    fields: bytes


class Block(NamedTuple):
    """A block as the index describes it: its frame begins at the offset ``at`` and has ``stored`` bytes."""

    at: int
    stored: int
    rows: int
    min_seq: int
    max_seq: int
    min_us: int
    max_us: int


def read_header(name: str, data: bytes) -> Header:
    """Parse the header of the file ``name``; ``data`` is its first ``HEADER_BYTES`` bytes.

    Raises:
        CorruptArchive: it is not a header, or of an unknown version.
    """
    if len(data) != HEADER_BYTES or not data.startswith(layout.MAGIC):
        raise CorruptArchive(f"{name}: not a segment file")
    checksum = int.from_bytes(data[len(layout.MAGIC) : layout.FIELDS_AT], "little")
    fields = data[layout.FIELDS_AT :]
    version, blocks, *_, footer_at, _, _, _, index_at = layout.FIELDS.unpack_from(fields)
    if version != layout.VERSION:
        raise CorruptArchive(f"{name}: version {version} of the segment format is not known")
    return Header(f"{checksum:016x}", blocks, footer_at, index_at, fields)


def read_index(name: str, header: Header, footer: bytes) -> list[Block]:
    """The blocks of a file in order; ``footer`` is everything after the last block.

    Raises:
        CorruptArchive: header and footer do not match the checksum, or point outside the blocks.
    """
    if f"{xxhash.xxh3_64_intdigest(header.fields + footer):016x}" != header.checksum:
        raise CorruptArchive(f"{name}: its metadata does not have the checksum {header.checksum}")
    start = header.index_at - header.footer_at
    if start < 0 or start + header.blocks * layout.INDEX_ENTRY.size > len(footer):
        raise CorruptArchive(f"{name}: the index lies outside the footer")
    blocks = []
    for number in range(header.blocks):
        entry = layout.INDEX_ENTRY.unpack_from(footer, start + number * layout.INDEX_ENTRY.size)
        offset, stored, _, *bounds = entry
        at = offset + layout.LENGTH_BYTES
        if stored > MOST_BLOCK_BYTES or not HEADER_BYTES <= offset <= at <= header.footer_at - stored:
            raise CorruptArchive(f"{name}: block {number} does not lie between header and footer")
        blocks.append(Block(at, stored, *bounds))
    return blocks


def decompress(name: str, frame: bytes) -> bytes:
    """Decompress a block. zstd checks the frame's own checksum.

    Raises:
        CorruptArchive: not one whole zstd frame, or too large.
    """
    decompressor = zstandard.ZstdDecompressor(max_window_size=1 << 27)
    try:
        size = zstandard.frame_content_size(frame)
        if size > MOST_BLOCK_BYTES:
            raise CorruptArchive(f"{name}: {size} bytes when decompressed, {MOST_BLOCK_BYTES} are allowed")
        if size >= 0:
            return decompressor.decompress(frame, allow_extra_data=False)
        return _unsized(name, decompressor, frame)
    except zstandard.ZstdError as error:
        raise CorruptArchive(f"{name}: {error}") from None


def _unsized(name: str, decompressor: zstandard.ZstdDecompressor, frame: bytes) -> bytes:
    whole = decompressor.decompressobj()
    parts, size = [], 0
    # In small pieces: only zstd's own ratio limits what a piece may grow to.
    for start in range(0, len(frame), 1024):
        parts.append(whole.decompress(frame[start : start + 1024]))
        size += len(parts[-1])
        if size > MOST_BLOCK_BYTES:
            raise CorruptArchive(f"{name}: over {MOST_BLOCK_BYTES} bytes when decompressed")
    if not whole.eof or whole.unused_data:
        raise CorruptArchive(f"{name}: not exactly one whole zstd frame")
    return b"".join(parts)


def rows(name: str, body: bytes, block: Block | None = None) -> Iterator[Row]:
    """The rows of a block, from its columns. ``block`` is its entry in the index, if that is known.

    Raises:
        CorruptArchive: before the first row, if the columns do not fill the block exactly, the rows are not in
            order, or they contradict the index, whose checksum does not cover the blocks.
    """
    count = int.from_bytes(body[:4], "little")
    if len(body) < 4 or count * layout.ROW_BYTES > len(body) or count > MOST_BLOCK_ROWS:
        raise CorruptArchive(f"{name}: {count} rows in {len(body)} bytes")
    seqs, times, shown, kinds, *lengths = (
        struct.unpack_from(f"<{count}{code}", body, at) for code, at in _columns(count)
    )
    at = 4 + count * layout.ROW_BYTES
    spans = []
    for column in lengths:
        ends = list(accumulate(column, initial=at))
        spans.append(ends)
        at = ends[-1]
    if at != len(body):
        raise CorruptArchive(f"{name}: its columns have {at} bytes, the block has {len(body)}")
    if any(before >= after for before, after in pairwise(seqs)):
        raise CorruptArchive(f"{name}: its sequence numbers do not rise")
    if block and (count != block.rows or (seqs and not block.min_seq <= seqs[0] <= seqs[-1] <= block.max_seq)):
        raise CorruptArchive(f"{name}: not the {block.rows} rows that the index of its segment says")
    return _cut(body, (seqs, times, shown, kinds), spans)


def _columns(count: int) -> Iterator[tuple[str, int]]:
    at = 4
    for code in layout.COLUMNS:
        yield code, at
        at += count * struct.calcsize(f"<{code}")


def _cut(body: bytes, fixed: tuple[tuple[int, ...], ...], spans: list[list[int]]) -> Iterator[Row]:
    for number, (seq, time_us, displayed_us, kind) in enumerate(zip(*fixed, strict=True)):
        texts = (body[ends[number] : ends[number + 1]] for ends in spans)
        yield Row._make((seq, time_us, kind, *texts, displayed_us))
