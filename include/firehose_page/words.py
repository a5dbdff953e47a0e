"""Numbers, sizes, spans and moments as a reader wants them; UTC throughout. The templates' filters."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Final

UNKNOWN: Final = "not known"
_UNITS: Final = ("B", "kB", "MB", "GB", "TB", "PB")


def count(number: float | None) -> str:
    """``1,234,567``."""
    return UNKNOWN if number is None else f"{number:,.0f}"


def size(number: float | None) -> str:
    """``1.2 MB``: thousands, as disks are sold."""
    if number is None:
        return UNKNOWN
    unit = 0
    while number >= 999.5 and unit < len(_UNITS) - 1:
        number, unit = number / 1000, unit + 1
    return f"{number:.0f} {_UNITS[unit]}" if unit == 0 or number >= 99.95 else f"{number:.1f} {_UNITS[unit]}"


def span(seconds: float | None) -> str:
    """``0.9 s``, ``12 s``, ``3 min 20 s``, ``5 h 12 min``, ``3 d 4 h``."""
    if seconds is None:
        return UNKNOWN
    if seconds < 10:
        return f"{seconds:.1f} s"
    whole = round(seconds)
    for upper, large, big, small, little in ((3600, 60, "min", 1, "s"), (86400, 3600, "h", 60, "min")):
        if whole < 60:
            return f"{whole} s"
        if whole < upper:
            rest = whole % large // small
            return f"{whole // large} {big}" + (f" {rest} {little}" if rest else "")
    days, rest = divmod(whole, 86400)
    return f"{days} d" + (f" {rest // 3600} h" if rest >= 3600 else "")


def share(number: float | None) -> str:
    """``99.98 %``; never rounded to a whole that it is not."""
    if number is None:
        return UNKNOWN
    percent = number * 100
    if 99.995 <= percent < 100:
        return "99.99 %"
    if 0 < percent < 0.005:
        return "under 0.01 %"
    return f"{percent:.2f} %" if percent not in (0, 100) else f"{percent:.0f} %"


def ratio(number: float | None) -> str:
    """9.3 times."""
    return UNKNOWN if number is None else f"{number:.1f}x"


def clock(moment: datetime | None) -> str:
    """``20:40``."""
    return UNKNOWN if moment is None else f"{moment.astimezone(UTC):%H:%M}"


def at(moment: datetime | None) -> str:
    """``2026-11-23 20:40:05``."""
    return UNKNOWN if moment is None else f"{moment.astimezone(UTC):%Y-%m-%d %H:%M:%S}"


def day(moment: datetime) -> str:
    """``2026-11-23``."""
    return f"{moment.astimezone(UTC):%Y-%m-%d}"


def micros(moment_us: int) -> str:
    """A time of a gap; as it is where no calendar has it."""
    try:
        return at(datetime.fromtimestamp(moment_us / 1e6, UTC))
    except (OverflowError, ValueError, OSError):
        return f"{moment_us} µs"


FILTERS: Final[dict[str, Callable[..., str]]] = {
    one.__name__: one for one in (count, size, span, share, ratio, clock, at, day, micros)
}
