"""Reading a raw file: concatenated zstd frames of newline-ended JSON, a bounded number of lines at a time.

Also says, before they get there, whether bytes are such frames. Must not: decode events.
"""

from __future__ import annotations

import io
from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from typing import Final, NamedTuple

import zstandard

from firehose.errors import CorruptBatch
from firehose.store import LakePath

#: A chunk ends with the line that brings it here, so that a flood of large events fits in memory as well.
CHUNK_BYTES: Final = 64 * 1024 * 1024
# What RFC 8878 asks of every decoder, and far more than the ingester's frames need.
_MOST_WINDOW: Final = 8 * 1024 * 1024
# Fed to a decoder at a time: of what anyone may have sent, so little that it cannot become much (32 MiB).
_FEED: Final = 1024
# Given back by a decoder at a time. Its own 128 KiB are allocated for each part, and cost more than decompressing.
_PART: Final = 16 * 1024
_READ_BYTES: Final = 1024 * 1024
_LONGEST_HEADER: Final = 18


class NotFrames(ValueError):
    """Bytes that cannot go to a raw file. The message says why, as in "its payload …"."""


class FrameSpan(NamedTuple):
    """Whole frames of a raw file: bytes from ``start`` to ``end`` (exclusive), ``size`` of them decompressed."""

    start: int
    end: int
    size: int


def spans(path: LakePath, most_bytes: int, index: Sequence[tuple[int, int]] = ()) -> Iterator[FrameSpan]:
    """Divide a file into spans of at most ``most_bytes`` decompressed; a larger frame is a span of its own.

    ``index`` has the bytes of all its frames, compressed and decompressed. Raw batches of earlier versions have no
    index: then the file is decompressed to find them. The same file always gives the same spans.

    Raises:
        CorruptBatch: the file is not zstd, or ends within a frame.
    """
    span: FrameSpan | None = None
    start = 0
    for compressed, size in index or _sizes(path):
        if span and span.size + size > most_bytes:
            yield span
            span = None
        end = start + compressed
        span = FrameSpan(span.start if span else start, end, size + (span.size if span else 0))
        start = end
    if span:
        yield span


def _sizes(path: LakePath) -> Iterator[tuple[int, int]]:
    """The bytes of each frame, compressed and decompressed, found by decompressing the file."""
    with path.reading() as stream:
        waiting = stream.read(_READ_BYTES)
        try:
            while waiting:
                frame, compressed, size = zstandard.ZstdDecompressor().decompressobj(), 0, 0
                while not frame.eof:
                    if not waiting and not (waiting := stream.read(_READ_BYTES)):
                        raise zstandard.ZstdError("it ends within a frame")
                    size += len(frame.decompress(waiting))
                    compressed += len(waiting)
                    waiting = b""
                waiting = frame.unused_data or stream.read(_READ_BYTES)
                yield compressed - len(frame.unused_data), size
        except zstandard.ZstdError as error:
            raise CorruptBatch(f"{path}: not whole zstd frames ({error}); restore it from a backup") from error


def count_lines(payload: bytes, most_lines: int, most_bytes: int) -> tuple[int, int]:
    """The number of lines in whole zstd frames, and their bytes; what is in memory does not depend on how many.

    Raises:
        NotFrames: they are not, or hold no line, or end within one, or are a bomb: more than ``most_lines`` or
            ``most_bytes``.
    """
    start = lines = size = 0
    last = b""
    try:
        while start < len(payload):
            header = payload[start : start + _LONGEST_HEADER]
            if not header.startswith(zstandard.FRAME_HEADER):
                raise zstandard.ZstdError("it does not begin with a frame")
            if zstandard.get_frame_parameters(header).window_size > _MOST_WINDOW:
                raise NotFrames("needs a window larger than frames have")
            frame = zstandard.ZstdDecompressor(max_window_size=_MOST_WINDOW).decompressobj(write_size=_PART)
            while not frame.eof:
                if start >= len(payload):
                    raise NotFrames("is not whole zstd frames (it ends within a frame)")
                part = frame.decompress(payload[start : start + _FEED])
                start += _FEED
                lines += part.count(b"\n")
                size += len(part)
                last = part or last
                if size > most_bytes or lines > most_lines:
                    raise NotFrames(f"is more than {most_lines} lines or {most_bytes} bytes when decompressed")
            start = min(start, len(payload)) - len(frame.unused_data)
    except zstandard.ZstdError as error:
        raise NotFrames(f"is not whole zstd frames ({error})") from None
    if not last.endswith(b"\n"):
        raise NotFrames("ends within a line" if last else "holds nothing")
    return lines, size


def read_chunks(path: LakePath, events: int, span: FrameSpan | None = None) -> Iterator[list[bytes]]:
    """Yield lines without their newlines, at most ``events`` and about ``CHUNK_BYTES`` at a time.

    ``span``: of these frames only, each of which holds whole lines; else of the whole file. The decoder does not
    report a last frame that is cut off, so who reads a whole file has to compare it with its manifest.

    Raises:
        CorruptBatch: the file is not zstd, or ends within a line or within ``span``.
    """
    size = 0
    try:
        with path.reading() as stream:
            source = stream if span is None else _part(stream, span)
            reader = zstandard.ZstdDecompressor().stream_reader(source, read_across_frames=True)
            lines = io.BufferedReader(reader, 1 << 20)
            while chunk := _chunk(lines, events):
                if not chunk[-1].endswith(b"\n"):
                    raise CorruptBatch(f"{path}: ends within a line; restore it from a backup")
                size += sum(map(len, chunk))
                yield [line[:-1] for line in chunk]
        if span and size != span.size:
            raise CorruptBatch(
                f"{path}: bytes {span.start} to {span.end} hold {size} bytes of events instead of {span.size}; "
                "restore it from a backup"
            )
    except zstandard.ZstdError as error:
        raise CorruptBatch(f"{path}: not whole zstd frames ({error}); restore it from a backup") from error


def _part(stream: io.BufferedReader, span: FrameSpan) -> io.BytesIO:
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
