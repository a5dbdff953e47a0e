"""Asks ClickHouse what an analyst asks, once a minute, and counts: whether answers come, and in their time.

Lives here: the counts. Must not: the questions (``firehose.observe.answers``), which the monitor asks as well.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import Final

from firehose import observed
from firehose.alerts.limits import Limits
from firehose.observe.answers import QUERIES, ask
from firehose.settings import Settings
from ingester.contract.metrics import Metric
from ingester.contract.scrape import Values

_GIVEN_UP_S: Final = 30.0
OUTCOMES: Final = ("in_time", "late", "failed")


class Probe:
    """The questions' results so far."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._ends: Counter[tuple[str, str]] = Counter()
        self._took: dict[str, float] = {}

    def ask(self) -> None:
        """Ask every question once."""
        limit_s = Limits.of(self._settings).query_seconds
        for name, seconds in ask(self._settings, _GIVEN_UP_S):
            if seconds is not None:
                self._took[name] = seconds
            end = "failed" if seconds is None else "in_time" if seconds <= limit_s else "late"
            self._ends[name, end] += 1

    def values(self) -> Iterator[tuple[Metric, Values]]:
        """What came of them."""
        yield observed.PROBES, {(name, end): self._ends[name, end] for name in QUERIES for end in OUTCOMES}
        yield observed.PROBE_SECONDS, {(name,): seconds for name, seconds in self._took.items()}
