"""How ClickHouse has answered the monitor's questions: ``_alerts/answers.json``, which the monitor writes.

Lives here: the questions, the form of the file, shares of windows. Must not: ask for a look (the monitor
does), say how many bad answers are too many.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator
from datetime import UTC, date, datetime
from typing import Final

import msgspec

from firehose.areas import Area
from firehose.errors import CorruptLake, FirehoseError
from firehose.observe.objectives import FAST, SLOW
from firehose.settings import Settings
from firehose.store import LakePath
from firehose.warehouse.client import clickhouse_errors, connect
from ingester.contract.logs import get_logger

log = get_logger(__name__)

#: What an analyst asks: a question of a summary table, and one of the lake's own files, each of a day.
QUERIES: Final = {
    "summary": "SELECT type, sum(events) FROM firehose.events_by_minute WHERE day >= yesterday() GROUP BY type",
    "lake": "SELECT count(), uniq(did) FROM firehose.posts WHERE hour_start >= now() - INTERVAL 1 DAY",
}
#: Each is asked this often, by who looks each minute.
_EACH_S: Final = 60
#: Answers are counted by spans of this many seconds, which is the shortest window.
_SPAN_S: Final = min(FAST)
_KEPT_S: Final = max(SLOW)
#: After that they are added up by the day, and kept for the month of the Firehose page.
_DAY_S: Final = 86_400
_DAYS_KEPT: Final = 31
_NAME: Final = "answers.json"


class Span(msgspec.Struct, frozen=True, array_like=True):
    """Questions that were asked from ``begin_s`` on, and how many had no answer in time.

    Within five minutes; where that is older than the longest window, within the day that begins then.
    """

    begin_s: int
    asked: int
    bad: int


class QueryState(msgspec.Struct, frozen=True, kw_only=True):
    """By the seconds of a window, the share of its questions that were not answered within ``limit_s``.

    What was not asked, as before an installation, counts as answered. ``asked``: those of the longest window.
    """

    limit_s: float
    asked: int
    bad: dict[int, float]


def ask(settings: Settings, given_up_s: float) -> Iterator[tuple[str, float | None]]:
    """Ask every question, as the analyst; how many seconds each took, None: there was no answer."""
    for name, query in QUERIES.items():
        begun = time.monotonic()
        try:
            with (
                clickhouse_errors(),
                contextlib.closing(connect(settings, "analyst", timeout_s=int(given_up_s))) as client,
            ):
                client.query(query)
        except FirehoseError as error:
            log.warning("query failed", query=name, reason=error)
            yield name, None
        else:
            yield name, time.monotonic() - begun


def queries(settings: Settings, now: datetime) -> QueryState | None:
    """The shares of all windows. None: nothing is asked, or nothing was.

    Raises:
        CorruptLake: the file cannot be read.
    """
    if not settings.alert_query_seconds or not (spans := read(settings.lake_path)):
        return None
    recent = [span for span in spans if span.begin_s > now.timestamp() - _KEPT_S]
    return QueryState(
        limit_s=settings.alert_query_seconds,
        asked=sum(span.asked for span in recent),
        bad={seconds: _bad(recent, now.timestamp(), seconds) for seconds in sorted({*FAST, *SLOW})},
    )


def added(spans: list[Span], now: datetime, asked: int, bad: int) -> list[Span]:
    """Those with these questions; what is older than the longest window is added up by its day."""
    begin = int(now.timestamp()) // _SPAN_S * _SPAN_S
    found: dict[int, Span] = {}
    for span in [*spans, Span(begin, asked, bad)]:
        at = span.begin_s if span.begin_s > begin - _KEPT_S else span.begin_s // _DAY_S * _DAY_S
        if at > begin - _DAYS_KEPT * _DAY_S:
            known = found.get(at, Span(at, 0, 0))
            found[at] = Span(at, known.asked + span.asked, known.bad + span.bad)
    return [found[at] for at in sorted(found)]


def by_day(spans: list[Span]) -> dict[date, tuple[int, int]]:
    """How many questions were asked on a day, and how many had no answer in time."""
    found: dict[date, tuple[int, int]] = {}
    for span in spans:
        day = datetime.fromtimestamp(span.begin_s, UTC).date()
        asked, bad = found.get(day, (0, 0))
        found[day] = (asked + span.asked, bad + span.bad)
    return found


def read(lake: LakePath) -> list[Span]:
    """What was counted, in order; empty: nothing.

    Raises:
        CorruptLake: the file is not one.
    """
    path = _path(lake)
    try:
        return msgspec.json.decode(path.read_bytes(), type=list[Span])
    except FileNotFoundError:
        return []
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise CorruptLake(f"{path}: not counts of answers ({error}); remove it") from error


def write(lake: LakePath, spans: list[Span]) -> None:
    """Replace what was counted."""
    _path(lake).write(msgspec.json.encode(spans))


def _path(lake: LakePath) -> LakePath:
    return Area.ALERTS.of(lake) / _NAME


def _bad(spans: list[Span], now_s: float, seconds: int) -> float:
    """The share of bad ones in a window. A span that has begun before it counts while a part of it is within."""
    within = [span for span in spans if span.begin_s + _SPAN_S > now_s - seconds]
    asked = max(sum(span.asked for span in within), len(QUERIES) * seconds // _EACH_S)
    return sum(span.bad for span in within) / asked
