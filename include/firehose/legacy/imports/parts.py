"""What an import has read, in parts: frames of lines by day and queue, and the files that they are of.

A part is some source files: its frames are written first, then its description, which makes it count. What a
killed import had begun is read again. Must not: read a store, know batches.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from datetime import date, timedelta
from typing import BinaryIO, Final

import msgspec
import zstandard

from firehose.areas import Area
from firehose.errors import CorruptLake
from firehose.legacy.filing import Line
from firehose.store import LakePath
from ingester.contract import wire

_DESCRIBED: Final = "part-*.json"
_FRAMES: Final = "part-*.jsonl.zst"
#: Bytes of lines that are held before they become frames.
_HELD: Final = 48 * 1024 * 1024
_LINES_A_FRAME: Final = 5000
_DAY_US: Final = 86_400_000_000
_FIRST_DAY: Final = date(1970, 1, 1)


class Spot(msgspec.Struct, frozen=True):
    """A frame of a part: its place in the part's file, and what it holds once decompressed."""

    day: str
    queue: str
    start: int
    end: int
    size: int
    events: int
    first_us: int
    last_us: int


class Part(msgspec.Struct, frozen=True, kw_only=True):
    """A part that counts. ``files``: path, size, time of change; ``refused``: path, place, reason."""

    name: str
    files: list[tuple[str, int, int]]
    records: int
    spots: list[Spot]
    refused: list[tuple[str, str, str]] = []


def parts(lake: LakePath) -> Iterator[Part]:
    """The parts that count, in the order in which they were read.

    Raises:
        CorruptLake: a description cannot be read.
    """
    for path in Area.IMPORTS.of(lake).find(_DESCRIBED):
        try:
            yield msgspec.json.decode(path.read_bytes(), type=Part)
        except msgspec.MsgspecError as error:
            raise CorruptLake(f"{path}: not a part of an import ({error}); restore it from a backup") from error


def begin(lake: LakePath) -> int:
    """The number of the next part. What a killed import has begun is removed: the caller excludes other ones."""
    folder = Area.IMPORTS.of(lake)
    described = {path.stem for path in folder.find(_DESCRIBED)}
    for path in folder.find(_FRAMES):
        if path.name.partition(".")[0] not in described:
            path.discard()
    return max((int(name.partition("-")[2]) for name in described), default=-1) + 1


def name_of(number: int) -> str:
    """The name of a part: parts are in the order of their numbers, which need not be without gaps."""
    return f"part-{number:06}"


def frames_path(lake: LakePath, name: str) -> LakePath:
    """The file that has a part's frames."""
    return Area.IMPORTS.of(lake) / f"{name}.jsonl.zst"


class PartWriter:
    """Gathers lines by day and queue, and writes them as frames, each of one of these."""

    def __init__(self, out: BinaryIO) -> None:
        self._out = out
        # By the number of the day since 1970, and the queue.
        self._lines: defaultdict[tuple[int, str], list[Line]] = defaultdict(list)
        self._held = self._at = 0
        self.spots: list[Spot] = []

    def add(self, line: Line) -> None:
        """Take a line."""
        self._lines[line.time_us // _DAY_US, line.queue].append(line)
        self._held += len(line.line)
        if self._held > _HELD:
            self.flush()

    def flush(self) -> None:
        """Write all that is held."""
        for (number, queue), lines in sorted(self._lines.items()):
            day = str(_FIRST_DAY + timedelta(days=number))
            for start in range(0, len(lines), _LINES_A_FRAME):
                self._frame(day, queue, lines[start : start + _LINES_A_FRAME])
        self._lines.clear()
        self._held = 0

    def _frame(self, day: str, queue: str, lines: list[Line]) -> None:
        joined = wire.join_lines([line.line for line in lines])
        frame = zstandard.ZstdCompressor(level=1, write_checksum=True).compress(joined)
        self._out.write(frame)
        times = [line.time_us for line in lines]
        end = self._at + len(frame)
        self.spots.append(Spot(day, queue, self._at, end, len(joined), len(lines), min(times), max(times)))
        self._at = end


def write(lake: LakePath, part: Part) -> None:
    """Describe a part durably, whose frames are: from now on it counts."""
    (Area.IMPORTS.of(lake) / f"{part.name}.json").write(msgspec.json.encode(part))
