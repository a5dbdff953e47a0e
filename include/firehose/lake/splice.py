"""Row groups of one Parquet file in another one as the bytes that they are, neither decoded nor encoded.

Positions in a file are in its footer only, so a copied group needs another description and nothing else. What a
file may have outside of its groups (page indexes, Bloom filters) is left behind, and its positions are taken out.
Must not: know which groups are copied, or how a file takes another one's place.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import BinaryIO, Final

from firehose.lake import metadata
from firehose.lake.metadata import Group
from firehose.lake.rowgroups import corrupt
from firehose.store import LakePath, LocalLake

_PIECE: Final = 1024 * 1024  # larger ones leave the processor's caches


def append(target: LocalLake, source: LakePath, groups: Sequence[Group]) -> None:
    """Add row groups of ``source`` behind those of a file of the same form, whose notes stay.

    Raises:
        CorruptLake: ``source`` is shorter than its footer says.
    """
    if not groups:
        return
    own, added = metadata.read_metadata(target), []
    with target.open("r+b") as out, source.reading() as stream:
        out.truncate(own.end)
        out.seek(own.end)
        for group in groups:
            added.append(metadata.moved(group, out.tell()))
            _copy(stream, out, group, source)
        out.write(metadata.file_end(own, added))


def _copy(stream: BinaryIO, out: BinaryIO, group: Group, source: LakePath) -> None:
    for run in _runs(group.chunks):
        left = len(run)
        while left:
            try:
                stream.seek(run.stop - left)
                piece = stream.read(min(left, _PIECE))
            except OSError as error:
                raise corrupt(source, error) from error
            if not piece:
                raise corrupt(source, EOFError("it ends in the middle of a row group"))
            out.write(piece)
            left -= len(piece)


def _runs(chunks: Sequence[range]) -> Iterator[range]:
    """Chunks that follow each other in the file, joined: each one is read at a time."""
    joined = chunks[0]
    for chunk in chunks[1:]:
        if chunk.start == joined.stop:
            joined = range(joined.start, chunk.stop)
        else:
            yield joined
            joined = chunk
    yield joined
