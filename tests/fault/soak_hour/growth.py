"""Whether what a process holds is flat: a robust line through samples, judged against a bound. Pure.

Must not: read processes (sampling.py).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, NamedTuple

import numpy as np

#: A process imports, fills caches and compiles at first: what it then takes is not a leak.
WARM_UP_S: Final = 300.0
#: Less than this after the warm-up says nothing.
SHORTEST_S: Final = 600.0
_MIB: Final = 1 << 20
#: How much the line may rise over the time that was looked at: a share of the median, and this at least.
_SHARE: Final = 0.10
_LEAST: Final = {"rss": 24.0 * _MIB, "fds": 4.0}
#: All pairs of more points would take seconds; these are spread over the whole time.
_POINTS: Final = 240


class Sample(NamedTuple):
    """What a process held at a moment (seconds)."""

    at_s: float
    value: float


class Growth(NamedTuple):
    """A line through the samples: ``rise`` over ``seconds``, of which ``allowed`` would still be flat."""

    median: float
    rise: float
    allowed: float
    seconds: float

    @property
    def flat(self) -> bool:
        """Whether it stays within its bound. One that was not seen for long enough is not judged."""
        return not self.judged or self.rise <= self.allowed

    @property
    def judged(self) -> bool:
        """Whether there was enough to see."""
        return self.seconds >= SHORTEST_S


def least(samples: Sequence[Sample], seconds: float) -> list[Sample]:
    """The smallest sample of each whole span of ``seconds``: what a buffer holds when it has been emptied."""
    if not samples:
        return []
    spans: dict[int, Sample] = {}
    for sample in samples:
        number = int((sample.at_s - samples[0].at_s) // seconds)
        spans[number] = min(spans.get(number, sample), sample, key=lambda each: each.value)
    last = int((samples[-1].at_s - samples[0].at_s) // seconds)
    return [sample for number, sample in spans.items() if number < last]


def growth(samples: Sequence[Sample], began_s: float, of: str) -> Growth:
    """The growth of one process that has begun at ``began_s``; ``of``: ``rss`` or ``fds``.

    The line is Theil and Sen's, whose slope is the median of the slopes of all pairs: a quarter of the samples may
    be spikes and it hardly moves, while the difference between first and last sample would be that of two moments.
    """
    warm = [sample for sample in samples if sample.at_s >= began_s + WARM_UP_S]
    if len(warm) < 2:
        return Growth(warm[0].value if warm else 0.0, 0.0, 0.0, 0.0)
    chosen = warm[:: max(1, len(warm) // _POINTS)]
    at, values = (np.array(part, float) for part in zip(*chosen, strict=True))
    first, second = np.triu_indices(len(at), 1)
    slope = float(np.median((values[second] - values[first]) / (at[second] - at[first])))
    seconds, median = float(at[-1] - at[0]), float(np.median(values))
    return Growth(median, slope * seconds, max(_SHARE * median, _LEAST[of]), seconds)
