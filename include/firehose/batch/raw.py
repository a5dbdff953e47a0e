"""Reading a raw file: concatenated zstd frames of newline-ended JSON, a bounded number of lines at a time.

Also says, before they get there, whether bytes are such frames. Must not: decode events.
"""

from __future__ import annotations

import io
from collections.abc import Callable, Iterable, Iterator
from itertools import islice
from typing import Final, NamedTuple

import pyarrow as pa
import zstandard

from firehose.errors import CorruptBatch
from firehose.store import LakePath

#: A chunk ends with the line that brings it here, so that a flood of large events fits in memory as well.
CHUNK_BYTES: Final = 64 * 1024 * 1024
# RFC 8878: a block holds at most so much, its header is three bytes long, and a checksum four.
_BLOCK_BYTES: Final = 128 * 1024
_BLOCK_HEADER: Final = 3
_CHECKSUM: Final = 4
_RLE: Final = 1
# What RFC 8878 asks of every decoder, and far more than the ingester's frames need.
_MOST_WINDOW: Final = 8 * 1024 * 1024
_READ_BYTES: Final = 1024 * 1024


class NotFrames(ValueError):
    """Bytes that cannot go to a raw file. The message says why, as in "its payload …"."""


class Span(NamedTuple):
    """Whole frames of a raw file: bytes from ``start`` to ``end`` (exclusive), ``size`` of them decompressed."""

    start: int
    end: int
    size: int


def spans(path: LakePath, most_bytes: int) -> Iterator[Span]:
    """Divide a file into spans of at most ``most_bytes`` decompressed; a larger frame is a span of its own.

    Only headers are read. The same file always gives the same spans.

    Raises:
        CorruptBatch: the file is not zstd, or ends within a frame.
    """
    span: Span | None = None
    for start, end, size in _frames(path):
        if span and span.size + size > most_bytes:
            yield span
            span = None
        span = Span(span.start if span else start, end, size + (span.size if span else 0))
    if span:
        yield span


def _frames(path: LakePath) -> Iterator[tuple[int, int, int]]:
    """Each frame's start, end and size when decompressed (at most, where its header does not say)."""
    with path.reading() as stream:
        start, size = 0, stream.size()
        while start < size:
            try:
                end, blocks, says = _frame_end(stream.read_at, size, start)
            except (zstandard.ZstdError, IndexError) as error:
                raise CorruptBatch(f"{path}: not whole zstd frames ({error}); restore it from a backup") from error
            yield start, end, blocks * _BLOCK_BYTES if says is None else says
            start = end


def count_lines(payload: bytes, most_lines: int, most_bytes: int) -> int:
    """The number of lines in whole zstd frames; what is in memory does not depend on how large they are
    decompressed.

    Raises:
        NotFrames: they are not, or hold no line, or end within one, or are a bomb: more than ``most_lines`` or
    ``most_bytes``."""
    try:
        start = 0
        while start < len(payload):
            if zstandard.get_frame_parameters(payload[start : start + 18]).window_size > _MOST_WINDOW:
                raise NotFrames("needs a window larger than frames have")
            start, _, _ = _frame_end(lambda count, at: payload[at : at + count], len(payload), start)
        return _count(payload, most_lines, most_bytes)
    except (zstandard.ZstdError, IndexError) as error:
        raise NotFrames(f"is not whole zstd frames ({error})") from None


def _count(payload: bytes, most_lines: int, most_bytes: int) -> int:
    decompressor = zstandard.ZstdDecompressor(max_window_size=_MOST_WINDOW)
    lines = size = 0
    part = b""
    with decompressor.stream_reader(payload, read_across_frames=True) as reader:
        while read := reader.read(_READ_BYTES):
            part = read
            lines += part.count(b"\n")
            size += len(part)
            if size > most_bytes or lines > most_lines:
                raise NotFrames(f"is more than {most_lines} lines or {most_bytes} bytes when decompressed")
    if not part.endswith(b"\n"):
        raise NotFrames("ends within a line" if part else "holds nothing")
    return lines


def _frame_end(read: Callable[[int, int], bytes], size: int, start: int) -> tuple[int, int, int | None]:
    """Where a frame ends, how many blocks it has, and how large it says that it is.

    ``read`` gives so many bytes from a place in ``size`` bytes; fewer where these end.

    Raises:
        IndexError: it ends beyond the file.
    """
    head = read(18, start)  # the longest header
    parameters = zstandard.get_frame_parameters(head)
    at, blocks, last = start + zstandard.frame_header_size(head), 0, False
    while not last:
        if at + _BLOCK_HEADER > size:
            raise IndexError("it ends within a frame")
        header = int.from_bytes(read(_BLOCK_HEADER, at), "little")
        last, kind, length = bool(header & 1), header >> 1 & 3, header >> 3
        at += _BLOCK_HEADER + (1 if kind == _RLE else length)
        blocks += 1
    at += _CHECKSUM if parameters.has_checksum else 0
    if at > size:
        raise IndexError("it ends within a frame")
    unknown = parameters.content_size == zstandard.CONTENTSIZE_UNKNOWN
    return at, blocks, None if unknown else parameters.content_size


def read_chunks(path: LakePath, events: int, span: Span | None = None) -> Iterator[list[bytes]]:
    """Yield lines without their newlines, at most ``events`` and about ``CHUNK_BYTES`` at a time.

    ``span``: of these frames only, each of which holds whole lines; else of the whole file.

    Raises:
        CorruptBatch: the file is not zstd, or ends within a frame or a line.
    """
    try:
        with path.reading() as stream:
            source = stream if span is None else _part(stream, span)
            reader = zstandard.ZstdDecompressor().stream_reader(source, read_across_frames=True)
            lines = io.BufferedReader(reader, 1 << 20)
            while chunk := _chunk(lines, events):
                if not chunk[-1].endswith(b"\n"):
                    raise CorruptBatch(f"{path}: ends within a line; restore it from a backup")
                yield [line[:-1] for line in chunk]
    except zstandard.ZstdError as error:
        raise CorruptBatch(f"{path}: not whole zstd frames ({error}); restore it from a backup") from error


def _part(stream: pa.NativeFile, span: Span) -> io.BytesIO:
    stream.seek(span.start)
    return io.BytesIO(stream.read(span.end - span.start))


def _chunk(lines: Iterable[bytes], events: int) -> list[bytes]:
    chunk, size = [], 0
    for line in islice(lines, events):
        chunk.append(line)
        size += len(line)
        if size >= CHUNK_BYTES:
            break
    return chunk
