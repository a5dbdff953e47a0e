"""The Lua scripts that change Redis: they claim the right to write, write a flush, and write a backfill's events.

Lives here: their text, assembled from ``lua/``, and their arguments. Each file documents its arguments and
replies. The scripts only call commands that the roles may use (firehose/redis/users.acl), none newer than Redis
6.2. Must not: talk to Redis.
"""

from __future__ import annotations

from collections.abc import Iterable
from importlib.resources import files
from typing import Final

import msgspec

from ingester.contract.frame import Frame

_json: Final = msgspec.json.Encoder().encode


def _script(*parts: str) -> str:
    """The files ``parts``, concatenated: a script cannot load another."""
    folder = files("ingester.contract") / "lua"
    return "\n".join((folder / f"{part}.lua").read_text(encoding="utf-8") for part in parts)


CLAIM: Final = _script("guards", "claim")
WRITE: Final = _script("guards", "frames", "write")
BACKFILL: Final = _script("guards", "frames", "backfill")


def arguments(
    keys: list[str], frames: Iterable[Frame] = (), before: bytes = b"", **header: str | int | list[str]
) -> list[bytes]:
    """The ``ARGV`` of a script: a JSON header of named fields, ``before``, then the payloads of ``frames``.

    ``keys`` are the script's ``KEYS``. ``before`` is the value that Redis must hold. Other programs can write
    there too, so it may be any bytes, which JSON cannot hold.
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
