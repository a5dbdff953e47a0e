"""Every place where an event or a span of time can leave its way is known, and every such path has a counter."""

from __future__ import annotations

import re
from collections import Counter
from pathlib import Path

from firehose import metrics
from ingester.contract import metrics as of_ingester
from ingester.contract.gap import Reason
from ingester.contract.losses import LossPath
from tests.unit.losses import finder
from tests.unit.losses.driven import GAPS, PATHS
from tests.unit.losses.places import PLACES


def listed() -> Counter[tuple[str, str]]:
    found: Counter[tuple[str, str]] = Counter()
    for place, (idioms, _) in PLACES.items():
        for each in idioms.split():
            idiom, _, number = each.partition("*")
            found[place, idiom] += int(number or 1)
    return found


def test_every_place_in_the_source_is_in_the_list_and_says_what_becomes_of_what_it_meets() -> None:
    there = finder.places()
    unknown = {f"{place}: {idiom}*{number}" for (place, idiom), number in (there - listed()).items()}
    assert unknown == set(), "say in tests/unit/losses/places.py which path it is, or why nothing is lost there"
    gone = {f"{place}: {idiom}*{number}" for (place, idiom), number in (listed() - there).items()}
    assert gone == set(), "not in the source any more: take it out of places.py"


def test_every_path_has_a_place_and_a_counter_of_the_list() -> None:
    named = {path for _, what in PLACES.values() for path in (what if isinstance(what, tuple) else (what,))}
    assert set(LossPath) == {path for path in named if isinstance(path, LossPath)}
    assert set(metrics.LOSS_METRICS) == set(LossPath)
    assert set(metrics.LOSS_METRICS.values()) <= set(metrics.METRICS)
    assert all(isinstance(path, LossPath) or path for path in named), "a reason says something"


def test_a_path_of_the_ingester_is_counted_where_the_list_says_so() -> None:
    """Each of its codes is counted in the source; the numbers themselves are what the tests of ``driven`` see."""
    source = "\n".join(path.read_text() for path in (finder.ROOT / "ingester").rglob("*.py"))
    counted = set(re.findall(r"label=LossPath\.(\w+)\.code|, LossPath\.(\w+)\.code\)", source))
    names = {name for pair in counted for name in pair if name}
    by_label = {path.name for path, metric in metrics.LOSS_METRICS.items() if metric is of_ingester.LOSSES}
    assert names == by_label


def test_every_path_and_every_reason_of_a_gap_has_a_test_that_sees_its_counter_rise() -> None:
    assert set(PATHS) == set(LossPath)
    assert set(GAPS) == set(Reason)
    for test in {*PATHS.values(), *GAPS.values()}:
        file, _, name = test.partition("::")
        assert f"def {name}(" in Path(finder.ROOT / "tests" / file).read_text(), test
