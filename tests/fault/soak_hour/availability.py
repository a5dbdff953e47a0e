"""The share of time in which an outside probe was served. Pure.

Must not: probe anything (probes.py).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final, NamedTuple

TARGET: Final = 0.999
#: After an injected outage is over a service has this long to be as before; what it takes beyond is its own fault.
RECOVERY_S: Final = 60.0


class Probe(NamedTuple):
    """One look: when (seconds), and whether it was served. ``said``: what was wrong."""

    at_s: float
    served: bool
    said: str = ""


class Outage(NamedTuple):
    """The very thing that a probe asks was taken away on purpose, from then to then."""

    fault: str
    begin_s: float
    end_s: float

    def covers(self, at_s: float) -> bool:
        """Whether a moment belongs to it, its recovery included."""
        return self.begin_s <= at_s <= self.end_s + RECOVERY_S


class Availability(NamedTuple):
    """``raw``: of all looks. ``own``: of those that no injected outage covers. ``injected`` counts the others.

    ``unserved`` are the looks outside of injected outages that were not served.
    """

    looks: int
    raw: float
    own: float
    injected: int
    by_fault: dict[str, int]
    unserved: list[Probe]

    @property
    def met(self) -> bool:
        """Whether the pipeline was there as it promises whenever it was not taken away."""
        return self.looks > self.injected and self.own >= TARGET


def availability(probes: Sequence[Probe], outages: Iterable[Outage]) -> Availability:
    """Both figures of one probe. Looks that an injected outage covers are counted, and named by its fault."""
    outages = list(outages)
    by_fault: dict[str, int] = {}
    own: list[Probe] = []
    for probe in probes:
        fault = next((outage.fault for outage in outages if outage.covers(probe.at_s)), "")
        if fault and not probe.served:
            by_fault[fault] = by_fault.get(fault, 0) + 1
        if not fault:
            own.append(probe)
    return Availability(
        len(probes),
        _share(probes),
        _share(own),
        len(probes) - len(own),
        by_fault,
        [probe for probe in own if not probe.served],
    )


def _share(probes: Sequence[Probe]) -> float:
    return sum(probe.served for probe in probes) / len(probes) if probes else 0.0
