"""A flood of bad events: more than a limit allows. An operator has to look before the rest is published.

Judged as slices come, against what the manifest says that there will be, so that a flood is certain when it is
told, and told as soon as it is certain. Events of kinds to come are not bad, and not judged. Must not: do I/O.
"""

from __future__ import annotations

from collections import Counter
from typing import Final

from firehose.batch.manifest import Manifest
from firehose.quality.outcome import SliceResult

#: Fewer events are never a flood: some bad ones of a rare type do not justify stopping a batch.
FLOOR: Final = 5000
_LONGEST: Final = 200


class Flood:
    """Counts a batch's bad events by type. ``most`` is the share of a type, or of all, that may be bad."""

    def __init__(self, manifest: Manifest, most: float) -> None:
        self._events = {queue: described.events for queue, described in manifest.queues.items()}
        self._total = manifest.events
        self._most = most
        self._bad: Counter[str] = Counter()
        self._new: Counter[str] = Counter()  # events of kinds that are not known
        self._reasons: dict[str, Counter[str]] = {}

    def add(self, result: SliceResult) -> str:
        """Count a slice; returns what to say of a flood, or nothing."""
        queue = result.queue
        self._bad[queue] += result.counts.quarantined - result.new_kinds
        self._new[queue] += result.new_kinds
        self._reasons.setdefault(queue, Counter()).update(result.reasons)
        bad, events = self._bad[queue], self._events[queue]
        if self._is_flood(bad, events, self._new[queue]):
            return self._say(f"{queue}: ", bad, events, self._reasons[queue])
        bad = self._bad.total()
        if self._is_flood(bad, self._total, self._new.total()):
            everywhere = sum(self._reasons.values(), Counter[str]())
            worst = self._bad.most_common(1)[0][0]
            return self._say(f"all types, most of it {worst}: ", bad, self._total, everywhere)
        return ""

    def _is_flood(self, bad: int, events: int, new: int) -> bool:
        # Those of new kinds dilute nothing, however many there are, nor do they make a flood of a handful.
        return events >= FLOOR and bad > self._most * max(events - new, FLOOR)

    def _say(self, what: str, bad: int, events: int, reasons: Counter[str]) -> str:
        reason = reasons.most_common(1)[0][0][:_LONGEST].replace("\n", " ")
        return f"{what}at least {bad} of {events} events are bad (limit {self._most:.0%}), most often {reason!r}"
