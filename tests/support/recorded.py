"""Traffic in the forms in which it was recorded: the recordings, where they are, and synthetic files like them.

Lives here: files of v1 events and of v2 frames. Must not: be asked what is right about them.
"""

from __future__ import annotations

import re
from functools import cache
from itertools import count
from pathlib import Path
from typing import Final, NamedTuple

import pytest

from jetstream_simulator.v2 import message
from tests.support.events import first_synthetic

#: What a test runs on: the first one always, the second one where it is.
SOURCES: Final = ("simulated", "recorded")
SHARED: Final = Path(__file__).resolve().parents[3] / "shared"
_EVENTS: Final = SHARED / "events"
#: For a test that takes long: the recordings, or the synthetic files where there are none.
BEST: Final = SOURCES[-1:] if _EVENTS.is_dir() else SOURCES[:1]
_FRAMES: Final = "zdict_v2_frames_2026-08-11.jsonl"
_KIND: Final = re.compile(rb'"(?:kind|operation|collection)":"([^"]*)"')
_LOST: Final = re.compile(rb'(\d\d)\.\d{6}Z"}}$')


class Recording(NamedTuple):
    """``v1``: files of over a thousand events in all. ``frames``: eight v2 frames of commits, seven with a record.

    Five of the frames have lost the end of their time, and have something else after it.
    """

    v1: list[Path]
    frames: Path


def recording(source: str, folder: Path) -> Recording:
    """The recording of one of SOURCES; ``folder`` takes the synthetic files. Skips where there is none."""
    if source == "simulated":
        return _simulated(folder)
    if not _EVENTS.is_dir():
        pytest.skip("the recorded events are not part of the project")
    frames = _EVENTS / _FRAMES
    return Recording([path for path in sorted(_EVENTS.glob("*.jsonl")) if path != frames], frames)


def _simulated(folder: Path) -> Recording:
    events, frames = folder / "events.jsonl", folder / "frames.jsonl"
    events.write_bytes(b"\n".join(_varied()) + b"\n")
    frames.write_bytes(b"\n".join(_damaged()) + b"\n")
    return Recording([events], frames)


@cache
def _varied() -> list[bytes]:
    """A thousand events, and then four of each kind, collection and operation, however rare it is."""
    seen: dict[tuple[bytes, ...], int] = {}
    kept = []
    for number, line in enumerate(first_synthetic(40_000)):
        kind = tuple(_KIND.findall(line))
        seen[kind] = seen.get(kind, 0) + 1
        if number < 1000 or seen[kind] <= 4:
            kept.append(line)
    return kept


def _damaged() -> list[bytes]:
    """Frames of eight commits, the last one a deletion."""
    commits = [line for line in first_synthetic(1000) if b'"commit":' in line]
    written = [line for line in commits if b'"record":' in line][:7]
    lines = [*written, next(line for line in commits if b'"operation":"delete"' in line)]
    frames = [message.read(line).frame(seq) for line, seq in zip(lines, count(61_781, 977), strict=False)]
    return [
        _LOST.sub(rb'\1.69mrrtjq","uri":"at://x"}}', frame) if n < 5 else frame for n, frame in enumerate(frames)
    ]
