"""Conditions of alerts about batches: none is published, one takes too long, some are missing. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

from firehose.alerts import catalogue, found
from firehose.alerts.limits import Limits
from firehose.alerts.state import Finding
from firehose.observe import Snapshot
from firehose.settings import Settings


def late(settings: Settings, seen: Snapshot) -> Iterator[Finding]:
    """The newest data of the lake is too old. While nothing was ever to be published, it is not."""
    state = seen.batches
    if state is None or not (state.newest or settings.start_date):
        return
    age_s = state.late_s + state.length_s
    if age_s > Limits.of(settings).age_seconds:
        details = {"newest": state.newest or "none", "expected": state.expected}
        minutes, since = age_s / 60, seen.at - timedelta(seconds=state.late_s)
        yield found(catalogue.BATCH_LATE, details, since=since, minutes=minutes, newest=state.newest or "none")


def slow(settings: Settings, seen: Snapshot) -> Iterator[Finding]:
    """A batch at work, or the newest one, takes longer than it should."""
    state = seen.batches
    if state is None:
        return
    limit_s = Limits.of(settings).batch_seconds
    ages = [(each.age_s, each.batch, "is not published") for each in state.running]
    ages += [(state.took_s, state.newest, "took until now")] if state.took_s else []
    over = [each for each in ages if each[0] > limit_s]
    if over:
        age_s, batch, said = max(over)
        details = {name: f"{seconds / 60:.0f} minutes, {state_of}" for seconds, name, state_of in over[:20]}
        yield found(
            catalogue.BATCH_SLOW,
            details,
            since=seen.at - timedelta(seconds=age_s),
            batch=batch,
            percent=settings.alert_batch_percent,
            minutes=age_s / 60,
            state=said,
            expected=limit_s / 60,
        )


def missing(settings: Settings, seen: Snapshot) -> Iterator[Finding]:
    """Intervals that are over for a while and of which nothing is known."""
    state = seen.batches
    spans = state.missing if state else []
    patience = timedelta(seconds=Limits.of(settings).age_seconds, minutes=settings.batch_minutes)
    ripe = f"{seen.at - patience:%Y%m%dT%H%M%SZ}"
    old = [name for span in spans for name in span.batches if name <= ripe]
    if old:
        details = {f"from {span.batches[0]}": f"{len(span.batches)} intervals" for span in spans}
        yield found(catalogue.MISSING, details, first=old[0], last=old[-1], count=len(old))
