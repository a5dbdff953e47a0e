"""What the two hosts of a schedule speak, and what proves that the stream went from one protocol to the other.

Lives here: the pairs, and a look at what Redis names. Must not: start or stop hosts.
"""

from __future__ import annotations

from typing import Final

from ingester.jetstream.hosts import V1, V2
from tests.fault.soak.faults import Fault

Pair = tuple[str, str]

#: What the first host speaks, and the second one.
PAIRS: Final[dict[Pair, Fault]] = {
    (V1, V1): Fault.V1_V1,
    (V1, V2): Fault.V1_V2,
    (V2, V1): Fault.V2_V1,
    (V2, V2): Fault.V2_V2,
}
_SWITCHES: Final[dict[Pair, Fault]] = {(V1, V2): Fault.FROM_V1_TO_V2, (V2, V1): Fault.FROM_V2_TO_V1}


class Spoken:
    """The protocols of the events in Redis, as they were seen one after the other."""

    def __init__(self) -> None:
        self.last = ""
        self.seen: set[str] = set()

    def look(self, protocol: str) -> Fault | None:
        """What ``protocol`` says of the last event in Redis, empty if nothing; returns a switch that it shows."""
        if not protocol:
            return None
        before, self.last = self.last, protocol
        self.seen.add(protocol)
        return _SWITCHES.get((before, protocol))
