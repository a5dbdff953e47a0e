"""How objectives were kept: a month of batches whose delays, gaps and answers are known."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import msgspec
import pytest

from firehose.observe import answers
from firehose.observe.answers import Span, added
from firehose.observe.attained import MonthLedger, Objective, attained
from firehose.settings import Settings
from ingester.contract.gap import Gap, Reason
from tests.support import month

NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)
TODAY = NOW.replace(hour=0)
MINUTE = timedelta(minutes=1)


@pytest.fixture
def month_settings(settings: Settings) -> Settings:
    begin = TODAY - timedelta(days=1)
    return msgspec.structs.replace(settings, batch_minutes=5, start_date=begin.isoformat())


def gap(start: datetime, lasted: timedelta, filled: str = "") -> Gap:
    low = int(start.timestamp() * 1e6)
    high = low + int(lasted.total_seconds() * 1e6)
    return Gap(id=str(low), reason=Reason.LATE, from_us=low, to_us=high, noted_us=high, host="one", filled=filled)


def kept(settings: Settings, *gaps: Gap) -> dict[str, Objective]:
    return {one.name: one for one in attained(settings, MonthLedger(settings.lake_path), gaps, NOW)}


def test_a_quiet_month_is_met_and_has_its_budget(month_settings: Settings) -> None:
    month.published(month_settings, TODAY - timedelta(days=1), NOW)
    found = kept(month_settings)
    assert set(found) == {"freshness", "coverage", "batches"}, "nobody has asked ClickHouse"
    for one in found.values():
        assert (one.month.met, one.month.left, one.month.share) == (True, 1.0, 1.0), one.name
        assert [day.date.day for day in one.days] == [19, 20]
    assert found["batches"].month.total == 288 + 144
    assert found["freshness"].month.total == 36 * 3600


def test_a_late_batch_misses_and_is_named(month_settings: Settings) -> None:
    """Published 20 minutes after its end, as the three after it."""
    late = TODAY + timedelta(hours=3)
    name = f"{late:%Y%m%dT%H%M%SZ}"
    silent = [late + number * month.LENGTH for number in range(1, 4)]
    month.published(month_settings, TODAY - timedelta(days=1), late)
    delays = {f"{each:%Y%m%dT%H%M%SZ}": timedelta(minutes=20) for each in (late, *silent)}
    month.published(month_settings, late, NOW, late=delays)
    found = kept(month_settings)
    fresh, batches = found["freshness"].days[-1], found["batches"].days[-1]
    # The batch before ends at 03:00, so data is too old from 03:10 on; the batch of 03:20 is there at 03:25:20.
    assert fresh.of.bad == pytest.approx(15 * 60 + 20)
    assert fresh.missed[0].batch == name and not fresh.of.met
    assert [miss.batch for miss in batches.missed] == sorted(delays)
    assert (batches.of.bad, batches.of.total) == (4, 144)
    assert found["batches"].month.left == pytest.approx(1 - 4 / (0.001 * 432))
    assert found["batches"].days[0].of.met


def test_an_interval_that_was_never_published_counts_unless_a_gap_has_it(month_settings: Settings) -> None:
    hole = TODAY + timedelta(hours=2)
    month.published(month_settings, TODAY - timedelta(days=1), hole)
    month.published(month_settings, hole + month.LENGTH, NOW)
    assert [miss.batch for miss in kept(month_settings)["batches"].days[-1].missed] == ["20261120T020000Z"]
    silence = msgspec.structs.replace(gap(hole, month.LENGTH), reason=Reason.NOT_LISTENING)
    found = kept(month_settings, silence)
    assert found["batches"].month.bad == 0
    assert found["coverage"].days[-1].of.bad == 300
    assert [miss.batch for miss in found["coverage"].days[-1].missed] == ["20261120T020000Z"]


def test_missing_time_is_counted_once_and_by_its_day(month_settings: Settings) -> None:
    month.published(month_settings, TODAY - timedelta(days=1), NOW)
    over_midnight = gap(TODAY - MINUTE, 3 * MINUTE)
    again, filled = gap(TODAY, MINUTE), gap(TODAY + timedelta(hours=5), MINUTE, filled="replay")
    coverage = kept(month_settings, over_midnight, again, filled)["coverage"]
    assert [day.of.bad for day in coverage.days] == [60, 120]
    assert coverage.month.left == pytest.approx(1 - 180 / (0.001 * 36 * 3600))


def test_answers_are_added_up_by_day_and_kept_for_a_month(month_settings: Settings) -> None:
    spans: list[Span] = []
    for day in range(40):
        for hour in range(24):
            spans = added(spans, NOW - timedelta(days=40 - day) + timedelta(hours=hour), 10, 1 if day == 30 else 0)
    assert len(spans) <= 31 + 3 * 24 + 24
    answers.write(month_settings.lake_path, spans)
    by_day = answers.by_day(spans)
    assert sum(asked for asked, _ in by_day.values()) >= 29 * 240
    assert sum(bad for _, bad in by_day.values()) == 24
    month.published(month_settings, TODAY - timedelta(days=1), NOW)
    wide = msgspec.structs.replace(month_settings, start_date=(TODAY - timedelta(days=29)).isoformat())
    queries = kept(wide)["queries"]
    assert queries.month.bad == 24 and not queries.month.met


def test_a_month_is_read_once(month_settings: Settings) -> None:
    month.published(month_settings, TODAY - timedelta(days=29), NOW)
    ledger = MonthLedger(month_settings.lake_path)
    with month.watched(month_settings.local_lake) as first:
        assert len(ledger.published(NOW)) == 29 * 288 + 144
    assert first.opened["_ledger"] == 29 * 288 + 144
    with month.watched(month_settings.local_lake) as again:
        ledger.published(NOW)
    assert again.opened.get("_ledger", 0) == 0
    assert again.listed["_ledger"] <= 31
