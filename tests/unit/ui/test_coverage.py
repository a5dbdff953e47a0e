"""Spans that are missing, against seconds coloured by hand; the integration tests have the view beside them."""

from __future__ import annotations

import random

import pytest

from firehose_ui.coverage import Lack, Row, lacks


def test_a_gap_and_what_nothing_is_known_of() -> None:
    rows = [
        Row("ends", "", "", 0, 4000),
        Row("run", "", "", 0, 1000),
        Row("run", "", "", 1300, 2000),
        Row("run", "", "", 2600, 4000),
        Row("open", "late", "", 1000, 1300),
        Row("open", "partial", "likes", 2000, 2100),
    ]
    assert lacks(rows, 500, 5000) == [
        Lack(1000, 1300, "gap", "late"),
        Lack(2000, 2100, "gap", "partial", "likes"),
        Lack(2000, 2600, "unknown"),
        Lack(4000, 5000, "outside"),
    ]


def test_a_filled_gap_is_covered() -> None:
    rows = [Row("ends", "", "", 0, 100), Row("run", "", "", 0, 40), Row("run", "", "", 60, 100)]
    assert lacks([*rows, Row("filled", "late", "", 40, 60)], 0, 100) == []


def test_without_anything_all_is_outside() -> None:
    assert lacks([], 10, 20) == [Lack(10, 20, "outside")]


@pytest.mark.parametrize("seed", range(30))
def test_seconds_are_coloured_as_by_hand(seed: int) -> None:
    chance = random.Random(seed)
    spans = [(low, low + chance.randrange(1, 90)) for low in chance.sample(range(300), 6)]
    runs = _joined(spans)
    ends = (min(low for low, _ in runs), max(high for _, high in runs))
    gaps = [(kind, low, low + 40) for kind in ("open", "filled") for low in chance.sample(range(-50, 400), 3)]
    rows = [Row("ends", "", "", *ends), *(Row("run", "", "", *run) for run in runs)]
    rows += [Row(kind, "late", "", low, high) for kind, low, high in gaps]
    found = lacks(rows, 20, 380)
    for second in range(20, 380):
        known = [kind for kind, low, high in gaps if low <= second < high]
        heard = any(low <= second < high for low, high in runs)
        inside = ends[0] <= second < ends[1] or "filled" in known or "open" in known
        wanted = set()
        if "open" in known:
            wanted.add("gap")
        elif not inside:
            wanted.add("outside")
        elif not heard and not known:
            wanted.add("unknown")
        assert {lack.kind for lack in found if lack.since <= second < lack.until} == wanted, second


def _joined(spans: list[tuple[int, int]]) -> list[tuple[int, int]]:
    seconds = sorted({second for low, high in spans for second in range(low, high)})
    runs: list[tuple[int, int]] = []
    for second in seconds:
        if runs and runs[-1][1] == second:
            runs[-1] = (runs[-1][0], second + 1)
        else:
            runs.append((second, second + 1))
    return runs
