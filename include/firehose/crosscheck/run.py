"""The whole comparison: receives from both hosts at once, then computes the differences.

Lives here: the hour and the report. Must not: connections (listen.py), counting (compare.py).
"""

from __future__ import annotations

import time
from collections.abc import Callable
from concurrent.futures import FIRST_EXCEPTION, ThreadPoolExecutor, wait
from datetime import UTC, datetime, timedelta
from threading import Event
from typing import Final

import msgspec

from firehose.crosscheck.compare import ALL, Difference, Window, compare
from firehose.crosscheck.listen import Listener
from firehose.errors import FirehoseError
from firehose.jetstream import Host

#: How far the clocks of two hosts may be apart.
MARGIN_US: Final = 60_000_000


class CrosscheckReport(msgspec.Struct, frozen=True):
    """The comparison of two hosts for an hour. ``unreadable``: how many messages of each were not events."""

    hour: datetime
    a: str
    b: str
    differences: list[Difference]
    unreadable: tuple[int, int]

    def beyond(self, tolerance: float) -> list[Difference]:
        """The types of which more than this share of events is on one host only."""
        return [sums for sums in self.differences if sums.operation == ALL and sums.share > tolerance]


def window_of(hour: str, now: Callable[[], float] = time.time) -> tuple[datetime, Window]:
    """The hour that ``2026-11-23T20`` (UTC) names.

    Raises:
        FirehoseError: it is not an hour, or the hour and the margin after it are not over.
    """
    try:
        start = datetime.strptime(hour, "%Y-%m-%dT%H").replace(tzinfo=UTC)
    except ValueError:
        raise FirehoseError(f"--hour {hour!r}: expected an hour in UTC, such as 2026-11-23T20") from None
    end = start + timedelta(hours=1)
    window = Window(int(start.timestamp()) * 1_000_000, int(end.timestamp()) * 1_000_000, MARGIN_US)
    if window.last_us > now() * 1e6:
        raise FirehoseError(f"--hour {hour}: not over yet; hosts can be compared from a minute after its end")
    return start, window


def crosscheck(a: Host, b: Host, hour: str) -> CrosscheckReport:
    """Listen to both hosts for an hour of the past, and compare what they sent.

    Raises:
        FirehoseError: the hour is not over, or a host no longer has it.
        ServiceUnavailable: a host cannot be reached, or falls silent.
    """
    start, window = window_of(hour)
    stop = Event()
    listeners = [Listener(host, window, stop, also_v2=a.v2 and b.v2) for host in (a, b)]
    with ThreadPoolExecutor(2) as threads:
        running = [threads.submit(listener.run) for listener in listeners]
        try:
            done, _ = wait(running, return_when=FIRST_EXCEPTION)
            failed = next((future for future in done if future.exception()), None)
        finally:
            stop.set()
        if failed is not None:
            failed.result()
        tallies = [future.result() for future in running]
    unreadable = (tallies[0].unreadable, tallies[1].unreadable)
    if not (differences := compare(*tallies)):
        raise FirehoseError(
            f"neither {a.name} nor {b.name} has an event of {hour}: nothing to compare "
            f"(messages that are not events: {unreadable[0]} and {unreadable[1]})"
        )
    return CrosscheckReport(start, a.name, b.name, differences, unreadable)
