"""Looks at the pipeline from outside, as a client does: is what the source sends in Redis, is an analyst answered?

Lives here: two probes, each in a thread of its own, so that one that waits does not hold up the other.
Must not: judge.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from contextlib import closing
from typing import Final

import redis

from firehose.errors import FirehoseError
from firehose.warehouse.client import clickhouse_errors, connect
from ingester.contract import wire
from ingester.contract.redis_access import MONITORING
from tests.fault.soak_hour.availability import Probe
from tests.fault.soak_hour.plant import Plant

INGEST: Final = "ingest"
ANSWERS: Final = "answers"
#: What the source has sent must be in Redis after this long (seconds).
_INGEST_S: Final = 30.0
#: An analyst's client asks again for this long before a person notices.
_PATIENCE_S: Final = 15.0
#: The objective for freshness: the newest minute that can be asked for is at most this old.
_FRESH_S: Final = 600.0
_NEWEST: Final = "SELECT toUnixTimestamp(max(minute)) FROM firehose.events_by_minute"


class Probes:
    """Both probes; ``seen`` is what each saw so far."""

    def __init__(self, plant: Plant) -> None:
        self.seen: dict[str, list[Probe]] = {INGEST: [], ANSWERS: []}
        self._plant = plant
        # It says at length that an endpoint is away, which a probe notes in a line.
        logging.getLogger("clickhouse_connect").setLevel(logging.CRITICAL)
        self._stop = threading.Event()
        self._known_us = 0
        looks: dict[str, tuple[Callable[[], str], float]] = {
            INGEST: (self._ingest, 1.0),
            ANSWERS: (self._answers, 5.0),
        }
        self._threads = [
            threading.Thread(target=self._look, args=(name, *look), daemon=True) for name, look in looks.items()
        ]
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        """Look no more."""
        self._stop.set()
        for thread in self._threads:
            thread.join(60)

    def _look(self, name: str, look: Callable[[], str], every_s: float) -> None:
        due = time.monotonic()
        while not self._stop.wait(max(0.0, due - time.monotonic())):
            due += every_s
            at, wrong = time.time(), look()
            self.seen[name].append(Probe(at, not wrong, wrong))
            # One that waited counts for all the looks that it was to take.
            while due + every_s < time.monotonic():
                self.seen[name].append(Probe(at + every_s, not wrong, wrong))
                at, due = at + every_s, due + every_s

    def _ingest(self) -> str:
        """The newest event of Redis, or of the last time that Redis said one, is not far behind the source's."""
        wrong = ""
        try:
            with self._plant.redis(MONITORING) as client:
                self._known_us = int(client.hget(wire.METADATA_KEY, wire.META_TIME_US) or 0)
        except redis.RedisError as error:
            wrong = f", Redis: {error}"
        behind_s = (self._plant.record.newest_us - self._known_us) / 1e6
        return f"{behind_s:.0f} s behind the source{wrong}" if behind_s > _INGEST_S else ""

    def _answers(self) -> str:
        """An analyst's question is answered, perhaps at a second attempt, and with data that are fresh."""
        deadline, wrong = time.monotonic() + _PATIENCE_S, ""
        while time.monotonic() < deadline:
            try:
                with (
                    clickhouse_errors(),
                    closing(connect(self._plant.settings, "analyst", timeout_s=10)) as client,
                ):
                    newest = int(str(client.command(_NEWEST)))
            except FirehoseError as error:
                wrong = str(error)
                self._stop.wait(1)
            else:
                age_s = time.time() - newest - 60
                return f"the newest minute is {age_s:.0f} s old" if age_s > _FRESH_S else ""
        return wrong or "no answer"
