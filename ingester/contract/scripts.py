"""The Lua scripts that change Redis: a claim of the right to write, the write of a flush, and a backfill's write.

Lives here: their text, put together from ``lua/``, and how arguments reach them. Each file says what its script
takes and replies. What they call is what the roles may do (firehose/redis/users.acl), nothing newer
than Redis 6.2.
Must not: talk to Redis.
"""

from __future__ import annotations

from collections.abc import Iterable
from importlib.resources import files
from typing import Final

import msgspec

from ingester.contract.frame import Frame

_json: Final = msgspec.json.Encoder().encode


def _script(*parts: str) -> str:
    """The files ``parts`` one after the other: a script has no way to load another."""
    folder = files("ingester.contract") / "lua"
    return "\n".join((folder / f"{part}.lua").read_text(encoding="utf-8") for part in parts)


CLAIM: Final = _script("guards", "claim")
WRITE: Final = _script("guards", "frames", "write")
BACKFILL: Final = _script("guards", "frames", "backfill")


def arguments(
    keys: list[str], frames: Iterable[Frame] = (), before: bytes = b"", **header: str | int | list[str]
) -> list[bytes]:
    """The ``ARGV`` of a script: a JSON header of named fields, ``before``, then the payloads of ``frames``.

    ``keys`` are the script's ``KEYS``. ``before`` is what Redis must hold: others can write there too, so it may
    be any bytes, which JSON cannot hold.
    """
    frames = list(frames)
    index = {key: position for position, key in enumerate(keys, 1)}
    listed = [
        # As text: a number in Lua has 53 bits.
        {"key": index[frame.key], "queue": frame.queue, "n": str(frame.events)}
        | {"first": str(frame.first_us), "last": str(frame.last_us)}
        for frame in frames
    ]
    return [_json({**header, "frames": listed}), before, *(frame.payload for frame in frames)]
