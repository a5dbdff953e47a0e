"""Conditions of alerts about objectives: their budget is used up too fast, or a little for days. Pure.

Lives here: the pairs of windows. Must not: compute shares (firehose.observe.objectives).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import timedelta
from typing import Final, NamedTuple

from firehose.alerts import catalogue, found
from firehose.alerts.alert import Alert
from firehose.alerts.limits import Limits
from firehose.alerts.state import Finding
from firehose.alerts.wording import length
from firehose.observe import Snapshot
from firehose.settings import Settings


class Burn(NamedTuple):
    """An objective is missed if in both windows (seconds) the budget is used up more than ``rate`` times as fast
    as it comes. The short window ends the alert soon after its cause."""

    rate: float
    long: int
    short: int


#: 2% of a month's budget in an hour, and 5% in six hours.
FAST: Final = (Burn(14.4, 3600, 300), Burn(6.0, 21_600, 1800))
#: 10% in three days: it will not last for the month.
SLOW: Final = (Burn(1.0, 259_200, 21_600),)


_MISSING: Final = "In {share:.1%} of the last {span} events are missing"
_STALE: Final = "In {share:.1%} of the last {span} data was too old"
_LATE: Final = "{share:.1%} of the questions of the last {span} were not answered within {limit:g} s"


def freshness(settings: Settings, seen: Snapshot) -> Iterator[Finding]:
    """Data was too old for too much of the latest hours."""
    if seen.objectives:
        yield from _burns(catalogue.FRESHNESS, settings, FAST, seen.objectives.stale, _STALE)


def coverage(settings: Settings, seen: Snapshot) -> Iterator[Finding]:
    """Time is missing, too much of the latest hours."""
    if seen.objectives:
        yield from _burns(catalogue.COVERAGE, settings, FAST, seen.objectives.missing, _MISSING)


def queries(settings: Settings, seen: Snapshot) -> Iterator[Finding]:
    """Too many of the monitor's questions to ClickHouse were not answered in their time."""
    if seen.queries:
        yield from _burns(catalogue.QUERIES, settings, FAST, seen.queries.bad, _LATE)


def slowly(settings: Settings, seen: Snapshot) -> Iterator[Finding]:
    """One of the objectives has been missed a little for days; each by itself."""
    if seen.trend:
        yield from _burns(catalogue.SLOWLY, settings, SLOW, seen.trend.stale, _STALE, "freshness")
        yield from _burns(catalogue.SLOWLY, settings, SLOW, seen.trend.missing, _MISSING, "coverage")
    if seen.queries:
        yield from _burns(catalogue.SLOWLY, settings, SLOW, seen.queries.bad, _LATE, "queries")


def _burns(
    alert: Alert,
    settings: Settings,
    burns: tuple[Burn, ...],
    shares: Mapping[int, float],
    text: str,
    objective: str = "",
) -> Iterator[Finding]:
    """The first pair of windows in which the budget is used up too fast."""
    limits = Limits.of(settings)
    for burn in burns:
        if min(shares[burn.long], shares[burn.short]) > burn.rate * limits.budget_share:
            share = shares[burn.long]
            said = text.format(share=share, span=length(timedelta(seconds=burn.long)), limit=limits.query_seconds)
            budget, times = limits.budget_share * 100, share / limits.budget_share
            yield found(alert, {}, about=objective, said=said, budget=budget, burn=times, objective=objective)
            return
