"""Detects a host that stops sending one type of event, by comparing each queue with its own history.

Lives here: counts, and the number of events to expect of a queue given all others; pure. Must not: I/O, clocks,
gaps.
"""

from __future__ import annotations

from collections.abc import Mapping

from ingester.position.history import WINDOW_US, History, Queue, Verdict, decode, encode


class DropoutDetector:
    """Compares the number of events in each queue with its history.

    The expected number is the queue's usual rate, reduced in proportion if all other queues have fewer events too.
    So a quiet night, a flood of one type and a replay count as normal. ``wanted`` is the filter of the stream:
    each filter has its own history.
    """

    def __init__(self, wanted: str = "") -> None:
        self._wanted = wanted
        self._host = ""
        self._queues: dict[str, Queue] = {}
        self._counts: dict[str, int] = {}
        self._begun_us = 0  # 0: with the next check

    def history(self) -> bytes:
        """The state for :meth:`adopt`, in JSON. It changes once a window, not with each event."""
        return encode(History(self._wanted, self._host, self._queues))

    def adopt(self, history: bytes) -> None:
        """Continue with another process' history, if it is for the same filter.

        Raises:
            msgspec.MsgspecError: it cannot be read; nothing is adopted.
        """
        known = decode(history)
        if known.wanted == self._wanted:
            self._host, self._queues = known.host, known.queues

    def partial(self, queue: str) -> bool:
        """True if this queue was found partial and has not come back since."""
        return queue in self._queues and self._queues[queue].partial_until_us > 0

    def connected(self, host: str) -> None:
        """Start again with a new connection, whose stream may begin anywhere.

        Another host is compared with the same history. If a partial queue is no better there, the network itself
        has changed.
        """
        self._begun_us = 0
        if host != self._host:
            self._host = host
            for queue in self._queues.values():
                queue.asked = queue.partial_until_us > 0 and queue.partial_host != host
                queue.clear(0)

    def check(self, counts: Mapping[str, int], at_us: int) -> list[Verdict]:
        """Compare ``counts``, the totals of all queues up to the event at ``at_us``. Returns the verdicts."""
        span_us = at_us - self._begun_us
        if not self._begun_us or span_us < 0:
            self._begin(counts, at_us)
            return []
        if span_us < WINDOW_US:
            return []
        came = {queue: count - self._counts.get(queue, 0) for queue, count in counts.items()}
        self._expect(came, span_us)
        verdicts = [self._queues[name].classify(name, self._host, at_us) for name in came]
        for name, count in came.items():
            self._queues[name].learn(count, span_us)
        self._begin(counts, at_us)
        return [verdict for verdict in verdicts if verdict is not None]

    def _begin(self, counts: Mapping[str, int], at_us: int) -> None:
        self._counts, self._begun_us = dict(counts), at_us
        for name in counts:
            queue = self._queues.setdefault(name, Queue(at_us, at_us))
            queue.since_us = min(queue.since_us or at_us, at_us)

    def _expect(self, came: Mapping[str, int], span_us: int) -> None:
        total, usual = sum(came.values()), sum(queue.rate for queue in self._queues.values())
        for name, count in came.items():
            queue = self._queues[name]
            queue.seen += count
            if others := (usual - queue.rate) * span_us / 1e6:
                queue.expected += queue.rate * span_us / 1e6 * min(1.0, (total - count) / others)
