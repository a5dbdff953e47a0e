"""Conditions of alerts about objectives: their budget is used up too fast, or a little for days. Pure.

Lives here: the pairs of windows. Must not: compute shares (firehose.observe.objectives).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import timedelta
from typing import Final, NamedTuple

from firehose.alerts import catalogue, found
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
_LATE: Final = "{share:.1%} of the questions of the last {span} were not answered in time"


def freshness(settings: Settings, seen: Snapshot) -> Iterator[Finding]:
    """Data was too old for too much of the latest hours."""
    if (state := seen.objectives) and (burn := _burning(settings, FAST, state.stale)):
        yield found(catalogue.FRESHNESS, {}, **_words(settings, burn, state.stale, _STALE))


def coverage(settings: Settings, seen: Snapshot) -> Iterator[Finding]:
    """Time is missing, too much of the latest hours."""
    if (state := seen.objectives) and (burn := _burning(settings, FAST, state.missing)):
        yield found(catalogue.COVERAGE, {}, **_words(settings, burn, state.missing, _MISSING))


def queries(settings: Settings, seen: Snapshot) -> Iterator[Finding]:
    """Too many of the monitor's questions to ClickHouse were not answered in their time."""
    if (state := seen.queries) and (burn := _burning(settings, FAST, state.bad)):
        limit = f"{Limits.of(settings).query_seconds:g}"
        yield found(catalogue.QUERIES, {}, limit=limit, **_words(settings, burn, state.bad, _LATE))


def slowly(settings: Settings, seen: Snapshot) -> Iterator[Finding]:
    """One of the objectives has been missed a little for days; each by itself."""
    if seen.trend is None:
        return
    shares = {"freshness": (seen.trend.stale, _STALE), "coverage": (seen.trend.missing, _MISSING)}
    if seen.queries:
        shares["queries"] = seen.queries.bad, _LATE
    for name, (share, text) in shares.items():
        if burn := _burning(settings, SLOW, share):
            words = _words(settings, burn, share, text)
            yield found(catalogue.SLOWLY, {}, about=name, objective=name, **words)


def _burning(settings: Settings, burns: tuple[Burn, ...], shares: Mapping[int, float]) -> Burn | None:
    """The first pair of windows in which the budget is used up too fast."""
    budget = Limits.of(settings).budget_share
    return next((each for each in burns if min(shares[each.long], shares[each.short]) > each.rate * budget), None)


def _words(settings: Settings, burn: Burn, shares: Mapping[int, float], text: str) -> dict[str, object]:
    share, budget = shares[burn.long], Limits.of(settings).budget_share
    said = text.format(share=share, span=length(timedelta(seconds=burn.long)))
    return {"said": said, "budget": budget * 100, "burn": share / budget}
