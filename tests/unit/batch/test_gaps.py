"""What records of gaps say together: the latest of each id counts, silence is filled by what spans it."""

from __future__ import annotations

import random
from itertools import permutations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from firehose.batch.gaps import merged, missing_us, open_gaps, resolve
from ingester.contract.gap import Gap, Reason


def gap(low: int, high: int, reason: Reason = Reason.OUTAGE, *, noted: int = 1, **more: str) -> Gap:
    """A record; its id is its reason and start, if none is given."""
    made = {"id": f"{reason}{low}"} | more
    return Gap(**made, reason=reason, from_us=low, to_us=high, noted_us=noted)


SILENCE = gap(100, 200, Reason.NOT_LISTENING)


@given(st.lists(st.tuples(st.integers(0, 40), st.integers(0, 40))))
def test_a_union_covers_the_same_and_is_disjoint(spans: list[tuple[int, int]]) -> None:
    union = merged(spans)
    assert {n for low, high in union for n in range(low, high)} == {n for a, b in spans for n in range(a, b)}
    ends = [end for span in union for end in span]
    assert ends == sorted(set(ends))


def test_the_latest_record_of_an_id_counts_in_any_order() -> None:
    records = [gap(5, 9), gap(5, 12, noted=2), gap(5, 12, noted=3, filled="replay")]
    for order in permutations(records):
        assert resolve(order) == [records[2]]


def test_of_two_records_of_one_moment_the_filled_one_counts() -> None:
    filled = gap(5, 9, filled="replay")
    assert resolve([gap(5, 9), filled]) == resolve([filled, gap(5, 9)]) == [filled]


@pytest.mark.parametrize(
    ("others", "by"),
    [
        ([gap(90, 250, filled="replay")], "replay"),
        ([gap(90, 150, filled="replay"), gap(150, 200, Reason.REDIS_LOST, filled="archive")], "archive, replay"),
        ([gap(90, 150, filled="replay"), gap(151, 250, filled="replay")], ""),  # a hole between them
        ([gap(90, 250)], ""),  # known, but not filled
        ([gap(90, 250, filled="replay", queue="likes")], ""),  # of one queue only
        ([gap(101, 250, filled="replay")], ""),  # begins too late
        ([gap(90, 250, filled="replay"), gap(90, 250, noted=2)], ""),  # the latest record says it is open
    ],
)
def test_silence_is_filled_by_what_spans_it(others: list[Gap], by: str) -> None:
    records = [SILENCE, *others]
    random.Random(1).shuffle(records)
    found = {g.id: g for g in resolve(records)}[SILENCE.id]
    assert found.filled == by


def test_other_gaps_are_not_filled_by_what_spans_them() -> None:
    late = gap(100, 200, Reason.LATE)
    assert late in resolve([late, gap(0, 300, filled="replay")])


def test_missing_time_counts_overlaps_once_and_filled_time_never() -> None:
    gaps = [
        gap(0, 10),
        gap(5, 20, Reason.LATE),
        gap(50, 60, Reason.PARTIAL, queue="likes"),
        gap(70, 90, filled="x"),
    ]
    assert missing_us(gaps) == 30
    assert missing_us(gaps, "posts") == 20
    assert missing_us(gaps, "likes") == 30
    assert len(open_gaps(gaps)) == 3
