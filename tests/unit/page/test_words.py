"""Figures in words, at the edges between units."""

from __future__ import annotations

import pytest

from firehose_page import words


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (None, "not known"), (0.85, "0.8 s"), (9.96, "10.0 s"), (59.4, "59 s"), (59.6, "1 min"), (61, "1 min 1 s"),
        (3599.7, "1 h"), (3661, "1 h 1 min"), (86399.9, "1 d"), (90_000, "1 d 1 h"), (30 * 86400, "30 d"),
    ],
)  # fmt: skip
def test_span(seconds: float | None, text: str) -> None:
    assert words.span(seconds) == text


@pytest.mark.parametrize(
    ("number", "text"),
    [(0, "0 B"), (999, "999 B"), (999.6, "1.0 kB"), (1500, "1.5 kB"), (99_960, "100 kB"), (2.5e12, "2.5 TB")],
)
def test_size(number: float, text: str) -> None:
    assert words.size(number) == text


def test_a_share_is_never_rounded_to_all_or_nothing_that_it_is_not() -> None:
    assert words.share(1) == "100 %" and words.share(0) == "0 %"
    assert words.share(0.999_999) == "99.99 %" and words.share(0.000_001) == "under 0.01 %"
    assert words.share(0.9861) == "98.61 %"


def test_a_moment_that_no_calendar_has() -> None:
    assert words.micros(2**62) == f"{2**62} µs"
