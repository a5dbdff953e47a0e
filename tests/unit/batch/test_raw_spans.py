"""A raw file divided into spans: whole frames, in order, nothing left out, none too large."""

from __future__ import annotations

from pathlib import Path

import pytest
import zstandard

from firehose.batch.raw import read_chunks, spans
from firehose.errors import CorruptBatch
from firehose.store import LocalLake

FRAMES = [[b'{"frame":%d,"line":%d}' % (frame, line) for line in range(frame * 50)] for frame in range(1, 9)]


@pytest.fixture
def raw(tmp_path: Path) -> Path:
    path = tmp_path / "likes.jsonl.zst"
    compressor = zstandard.ZstdCompressor(level=1, write_checksum=True)
    path.write_bytes(b"".join(compressor.compress(b"".join(line + b"\n" for line in lines)) for lines in FRAMES))
    return path


@pytest.mark.parametrize("most", [1, 5_000, 20_000, 1 << 30])
def test_spans_hold_every_line_once(raw: Path, most: int) -> None:
    found = list(spans(LocalLake(raw), most))
    assert [found[0].start, *(span.end for span in found)] == [*(span.start for span in found), raw.stat().st_size]
    lines = [line for span in found for chunk in read_chunks(LocalLake(raw), 100, span) for line in chunk]
    assert lines == [line for frame in FRAMES for line in frame]
    sizes = [
        sum(len(line) + 1 for chunk in read_chunks(LocalLake(raw), 100, span) for line in chunk) for span in found
    ]
    assert [span.size for span in found] == sizes
    largest = max(sum(len(line) + 1 for line in frame) for frame in FRAMES)
    assert max(sizes) <= max(most, largest), "only a frame of its own is larger"
    assert len(found) == {1: len(FRAMES), 1 << 30: 1}.get(most, len(found))


def test_an_index_gives_the_spans_that_a_file_without_one_gives(raw: Path) -> None:
    sizes = [sum(len(line) + 1 for line in frame) for frame in FRAMES]
    found = list(spans(LocalLake(raw), 1))
    index = [(span.end - span.start, span.size) for span in found]
    assert [decompressed for _, decompressed in index] == sizes
    for most in (1, 20_000, 1 << 30):
        assert list(spans(LocalLake(raw), most, index)) == list(spans(LocalLake(raw), most))


def test_frames_need_not_say_their_size(tmp_path: Path) -> None:
    path = tmp_path / "likes.jsonl.zst"
    stream = zstandard.ZstdCompressor(write_content_size=False).compressobj()
    path.write_bytes(stream.compress(b"x\n" * 10) + stream.flush())
    (span,) = spans(LocalLake(path), 1)
    assert (span.start, span.end) == (0, path.stat().st_size)
    assert span.size == 20


def test_a_file_of_nothing_has_no_spans(tmp_path: Path) -> None:
    path = tmp_path / "likes.jsonl.zst"
    path.write_bytes(b"")
    assert list(spans(LocalLake(path), 100)) == []


@pytest.mark.parametrize("kept", [1, 3, 8, 20, -1, -5])
def test_a_torn_file_is_corrupt(raw: Path, kept: int) -> None:
    raw.write_bytes(raw.read_bytes()[:kept])
    with pytest.raises(CorruptBatch, match=r"likes\.jsonl\.zst"):
        list(spans(LocalLake(raw), 1 << 20))


@pytest.mark.parametrize("frames", [0, 1, 7], ids="{} frames left".format)
@pytest.mark.parametrize("more", [0, 1, 30], ids="and {} bytes".format)
def test_a_span_that_the_file_no_longer_holds_is_corrupt(raw: Path, frames: int, more: int) -> None:
    each = list(spans(LocalLake(raw), 1))
    (whole,) = spans(LocalLake(raw), 1 << 30)
    raw.write_bytes(raw.read_bytes()[: each[frames].start + more])
    with pytest.raises(CorruptBatch, match=r"likes\.jsonl\.zst"):
        list(read_chunks(LocalLake(raw), 100, whole))


def test_what_is_no_zstd_is_corrupt(raw: Path) -> None:
    raw.write_bytes(b'{"no":"zstd"}\n' * 10)
    with pytest.raises(CorruptBatch, match="not whole zstd frames"):
        list(spans(LocalLake(raw), 1 << 20))
