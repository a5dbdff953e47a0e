"""The words of a notice around those of its alert: since when, how bad, why, what follows, what to do.

Pure. Must not: know a sink.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Final

from firehose.alerts.alert import Kind, Notice, Severity

_SAID: Final = {
    Kind.FIRING: "{}",
    Kind.ESCALATED: "still: {}",
    Kind.REPEATED: "still: {}",
    Kind.CLEARED: "over: {}",
    Kind.TEST: "{}",
}
_HOW_BAD: Final = {
    Severity.ERROR: "error: something has stopped, and stays so until you act",
    Severity.WARNING: "warning: the pipeline goes on; look on the next working day",
}


def subject(notice: Notice) -> str:
    """One line: what, and whether it lasts or is over."""
    return _SAID[notice.kind].format(notice.title)


def text(notice: Notice) -> str:
    """All that a reader needs, in lines."""
    return "\n".join(_lines(notice))


def _lines(notice: Notice) -> Iterator[str]:
    if notice.kind is Kind.CLEARED:
        span = f"from {_instant(notice.since)} to {_instant(notice.until)}"
        yield f"It is over. It lasted {length(notice.lasted)}, {span}."
        yield f"It was: {notice.text}"
    else:
        yield notice.text
        yield ""
        if notice.since:
            lasted = f" ({length(notice.lasted)})" if notice.lasted >= timedelta(minutes=1) else ""
            yield f"since: {_instant(notice.since)}{lasted}"
        if notice.kind is not Kind.TEST:
            yield f"severity: {_HOW_BAD[notice.severity]}"
        if notice.causes:
            yield f"likely causes: {'; '.join(notice.causes)}"
    if notice.also:
        was = "with it went" if notice.kind is Kind.CLEARED else "with it go"
        yield f"{was}: {'; '.join(notice.also)}"
    for name, value in notice.details.items():
        yield f"{name}: {value}"
    yield f"runbook: {notice.runbook}"


def length(span: timedelta) -> str:
    """A span of time as people say it: ``1 h 5 min``."""
    seconds = round(span.total_seconds())
    days, hours, minutes = seconds // 86_400, seconds % 86_400 // 3600, seconds % 3600 // 60
    if days:
        return f"{days} d {hours} h"
    if hours:
        return f"{hours} h {minutes} min"
    return f"{minutes} min" if minutes else f"{seconds} s"


def _instant(moment: datetime | None) -> str:
    return f"{moment:%Y-%m-%d %H:%M} UTC" if moment else "?"
