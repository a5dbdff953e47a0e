"""What a day's comparison may have and pass."""

from __future__ import annotations

from datetime import UTC, date, datetime

import msgspec

from firehose.legacy.compare.outcome import Counts, DayResult, Explained, Scope, Thresholds

DAY = date(2024, 10, 1)


def result(counts: Counts, *, heard_us: int = 86_400_000_000, **thresholds: object) -> DayResult:
    return DayResult(
        day=DAY,
        root="/old",
        compared_at=datetime.now(UTC),
        thresholds=msgspec.convert(thresholds, Thresholds),
        scope=Scope(study=1, network=0, others=0),
        types={"posts": counts},
        others=0,
        imports=[],
        whole=True,
        heard_us=heard_us,
    )


def test_a_day_on_which_the_lake_did_not_listen_passes_only_if_that_was_asked_for_and_all_is_imported() -> None:
    alone = Counts(explained={Explained.BEFORE_LAKE: 3})
    assert result(alone, heard_us=1).passed
    unheard = result(alone, heard_us=0)
    assert not unheard.passed
    assert unheard.problems == ["2024-10-01: not comparable, since the lake did not listen on that day"]
    assert result(alone, heard_us=0, unheard=True).passed
    missing = result(Counts(unimported=2), heard_us=0, unheard=True)
    assert missing.problems == ["2024-10-01 posts: 2 are in no import, and the lake did not listen on that day"]


def test_what_only_a_claim_dates_is_explained_and_does_not_pass_unlimited() -> None:
    counts = Counts(explained={Explained.UNDATED: 2})
    assert result(counts).problems == ["2024-10-01 posts: 2 undated, at most 0 allowed"]
    assert result(counts, undated=2).passed
    assert result(counts, undated=None).passed
