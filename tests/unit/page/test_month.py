"""The calendar against plain Python over the seconds of a day."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from firehose.batch.gaps import GapLine
from firehose_page.month import Day, month
from ingester.contract.gap import Reason

FIRST = date(2026, 2, 1)
NOW = datetime(2026, 2, 20, 12, tzinfo=UTC)
BEGINS = date(2026, 2, 3)


def gap(start: datetime, length: timedelta, filled: str = "", reason: Reason = Reason.OUTAGE) -> GapLine:
    begin, end = (int(moment.timestamp()) * 1_000_000 for moment in (start, start + length))
    return GapLine(
        reason=reason,
        queue="",
        host="h",
        protocol="v2",
        filled=filled,
        from_us=begin,
        to_us=end,
        noted_us=end,
        ids=["a"],
    )


def days(*gaps: GapLine) -> dict[int, Day]:
    made = month(FIRST, gaps, BEGINS, NOW)
    assert all(len(week) == 7 and week[0].date.weekday() == 0 for week in made.weeks)
    return {day.date.day: day for week in made.weeks for day in week if day.state != "outside"}


def test_a_day_is_what_is_known_of_it() -> None:
    at = datetime(2026, 2, 10, 23, tzinfo=UTC)
    found = days(
        gap(at, timedelta(hours=2)), gap(datetime(2026, 2, 14, 6, tzinfo=UTC), timedelta(hours=1), "replay")
    )
    assert sorted(found) == [*range(1, 29)]
    states = {number: day.state for number, day in found.items()}
    assert states[1] == states[2] == "before" and states[3] == "whole" and states[21] == states[28] == "future"
    assert (states[10], states[11], states[14]) == ("open", "open", "filled")
    assert found[10].covered == 23 / 24 and found[11].covered == 23 / 24 and found[14].covered == 1
    assert found[10].reasons == ["outage"] and "outage, all types: 2026-02-10 23:00:00" in found[10].spans[0].title
    assert found[20].covered == 1 and month(FIRST, [], BEGINS, NOW).following == ""
    assert month(FIRST, [], BEGINS, NOW).previous == "2026-01"


def test_today_is_judged_by_what_has_been_of_it() -> None:
    assert days(gap(datetime(2026, 2, 20, 6, tzinfo=UTC), timedelta(hours=3)))[20].covered == 0.75


def test_a_day_with_a_gap_before_the_first_batch_is_shown() -> None:
    assert days(gap(datetime(2026, 2, 2, 1, tzinfo=UTC), timedelta(hours=6)))[2].covered == 0.75


_SPANS = st.tuples(st.integers(0, 28 * 24), st.integers(1, 60), st.booleans())


@given(st.lists(_SPANS, max_size=12))
def test_coverage_is_the_hours_without_an_open_gap(spans: list[tuple[int, int, bool]]) -> None:
    start = datetime(2026, 2, 1, tzinfo=UTC)
    found = days(
        *(gap(start + timedelta(hours=at), timedelta(hours=n), "x" if filled else "") for at, n, filled in spans)
    )
    missing = {hour for at, n, filled in spans if not filled for hour in range(at, at + n)}
    for number in range(3, 20):
        hours = set(range((number - 1) * 24, number * 24))
        assert found[number].covered == pytest.approx((24 - len(hours & missing)) / 24), number
        assert all(span.x >= 0 and span.x + span.width <= 1000 for span in found[number].spans)
