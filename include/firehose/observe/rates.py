"""Rates: how many events a second came between two looks, by queue; and what waits and is at work then.

Lives here: the difference of two snapshots. Must not: wait, print.
"""

from __future__ import annotations

import time
from typing import Final

import msgspec

from firehose.errors import ServiceUnavailable
from firehose.observe.batches import Running
from firehose.observe.buffer import BufferState
from firehose.observe.ingester import IngesterState
from firehose.observe.snapshot import PARTS, Observer, Snapshot
from firehose.settings import Settings

_LOOKED_AT: Final = ("ingester", "buffer", "batches", "coverage")


class Rates(msgspec.Struct, frozen=True, kw_only=True):
    """One sample over ``seconds``. ``events_per_s``: by queue, as written to Redis; None: counters began again.

    ``unknown``: the parts that cannot be read, and why.
    """

    seconds: float
    events_per_s: dict[str, float] | None
    ingester: IngesterState
    buffer: BufferState | None
    running: list[Running]
    newest: str
    unknown: dict[str, str]

    @property
    def total(self) -> float | None:
        """Of all queues."""
        return None if self.events_per_s is None else sum(self.events_per_s.values())


class Sampler:
    """Takes samples, each over the time since the one before; the first begins when this is made.

    Raises:
        ServiceUnavailable: Redis does not answer.
    """

    def __init__(self, settings: Settings) -> None:
        self._observer = Observer(settings, without=frozenset(PARTS) - frozenset(_LOOKED_AT))
        _, self._before, self._at = self._look()

    def sample(self) -> Rates:
        """The sample that ends now.

        Raises:
            ServiceUnavailable: Redis does not answer.
        """
        seen, now, at = self._look()
        before, began = self._before, self._at
        self._before, self._at = now, at
        seconds = max(at - began, 1e-9)
        counts = {queue: count - before.queue_events.get(queue, 0) for queue, count in now.queue_events.items()}
        began_again = any(count < 0 for count in counts.values())
        batches = seen.batches
        return Rates(
            seconds=seconds,
            events_per_s=None if began_again else {queue: count / seconds for queue, count in counts.items()},
            ingester=now,
            buffer=seen.buffer,
            running=batches.running if batches else [],
            newest=batches.newest if batches else "",
            unknown=seen.unknown,
        )

    def _look(self) -> tuple[Snapshot, IngesterState, float]:
        at = time.monotonic()
        seen = self._observer.look()
        if seen.ingester is None:
            raise ServiceUnavailable(f"the ingester's counters are {seen.unknown.get('ingester', 'not known')}")
        return seen, seen.ingester, at
