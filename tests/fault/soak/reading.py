"""Which event a line stands for, by what it says: v2 does not give the bytes that v1 gives.

Lives here: a reading of both forms with Python's own JSON parser. Must not: the pipeline's decoders, stamps.
"""

from __future__ import annotations

import json
import re
from typing import Any, Final, NamedTuple

#: What Python's parser does not stand either: one value says that it was there.
_DEEP: Final = re.compile(rb"\[{1000,}\]{1000,}")
#: What names an event of the network, whichever host and protocol it came by (never its time).
_NAMES: Final = ("did", "kind", "rev", "collection", "rkey", "operation")

Identity = tuple[str, ...]


class Reading(NamedTuple):
    """``said`` is the event as one flat object without stamps; ``time_us`` its stamp, 0 where none can be read."""

    said: dict[str, Any]
    time_us: int

    @property
    def identity(self) -> Identity:
        """What it is known by: of an identity, account or sync event also the network's own number."""
        upstream = self.said.get(self.said["kind"])
        number = upstream.get("seq") if isinstance(upstream, dict) else None
        return (*(json.dumps(self.said.get(name)) for name in _NAMES), json.dumps(number))


def read(line: bytes) -> Reading | None:
    """An event in v1's form, as the pipeline keeps it, or a whole frame of v2; None: it is no JSON object."""
    try:
        event = json.loads(_DEEP.sub(b"0", line))
    except ValueError:
        return None
    if not isinstance(event, dict):
        return None
    payload = event.pop("payload", None)
    if isinstance(payload, dict):
        kind = str(payload.pop("$type", "")).rpartition("#")[2]
        return Reading(
            {name: payload[name] for name in payload if name not in ("seq", "time")} | {"kind": kind}, 0
        )
    time_us = event.pop("time_us", None)
    # v2 has no commit around the parts of a commit, which only shows where its kind is an unknown one.
    said = {"kind": ""} | event | event.pop("commit", {})
    said.pop("commit", None)
    return Reading(said, time_us if isinstance(time_us, int) else 0)
