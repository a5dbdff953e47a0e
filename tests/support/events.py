"""Synthetic events that many tests look at: one stream, made once in a process and only as far as it is needed.

Lives here: events and what they are about. Must not: services, files.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import islice
from typing import Final

from jetstream_simulator import generate

_SEED: Final = 4
_LONGEST: Final = 1_000_000
_source = generate.events(_LONGEST, seed=_SEED)
_made: list[bytes] = []


def first_synthetic(count: int) -> Sequence[bytes]:
    """The first ``count`` events of the stream, one JSON line each."""
    _made.extend(islice(_source, max(0, count - len(_made))))
    return _made[:count]
