"""Asks ClickHouse what an analyst asks, once a minute, and measures it: whether answers come, and in their time.

Lives here: the questions and their time. Must not: load, or ask for more than a day.
"""

from __future__ import annotations

import contextlib
import time
from collections import Counter
from collections.abc import Iterator
from typing import Final

from firehose import observed
from firehose.errors import FirehoseError
from firehose.settings import Settings
from firehose.warehouse.client import clickhouse_errors, connect
from ingester.contract.logs import get_logger
from ingester.contract.metrics import Metric
from ingester.contract.scrape import Values

log = get_logger(__name__)

#: A question of a day is answered within this time (seconds): the project's target.
TIME_S: Final = 5.0
_GIVEN_UP_S: Final = 30
OUTCOMES: Final = ("in_time", "late", "failed")
#: The questions: one of a summary table, one of the lake's own files.
QUERIES: Final = {
    "summary": "SELECT type, sum(events) FROM firehose.events_by_minute WHERE day >= yesterday() GROUP BY type",
    "lake": "SELECT count(), uniq(did) FROM firehose.posts WHERE hour_start >= now() - INTERVAL 1 DAY",
}


class Probe:
    """The questions' results so far."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._ends: Counter[tuple[str, str]] = Counter()
        self._took: dict[str, float] = {}

    def ask(self) -> None:
        """Ask every question once."""
        for name, query in QUERIES.items():
            begun = time.monotonic()
            try:
                with (
                    clickhouse_errors(),
                    contextlib.closing(connect(self._settings, "analyst", timeout_s=_GIVEN_UP_S)) as client,
                ):
                    client.query(query)
            except FirehoseError as error:
                log.warning("query failed", query=name, reason=error)
                self._ends[name, "failed"] += 1
                continue
            self._took[name] = time.monotonic() - begun
            self._ends[name, "in_time" if self._took[name] <= TIME_S else "late"] += 1

    def values(self) -> Iterator[tuple[Metric, Values]]:
        """What came of them."""
        yield observed.PROBES, {(name, end): self._ends[name, end] for name in QUERIES for end in OUTCOMES}
        yield observed.PROBE_SECONDS, {(name,): seconds for name, seconds in self._took.items()}
