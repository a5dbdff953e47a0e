"""Which rows are an event's first, and which are there already: against sets of plain strings."""

from __future__ import annotations

import random

import numpy as np
import pyarrow as pa
import pytest

from firehose.lake.identity import EventIndex, Fingerprints, fingerprints


def printed(names: list[str]) -> Fingerprints:
    return fingerprints(pa.array(names, pa.string()))


@pytest.mark.parametrize("seed", range(20))
def test_the_same_rows_are_wanted_as_with_sets_of_strings(seed: int) -> None:
    chance = random.Random(seed)
    names = [f"event{number}" for number in range(chance.randint(1, 60))]
    new = [chance.choice(names) for _ in range(chance.randint(0, 80))]
    cut = chance.randint(0, len(new))
    events = EventIndex([printed(new[:cut]), printed(new[cut:])])
    elsewhere, old = (chance.sample(names, chance.randint(0, len(names))) for _ in range(2))
    at = events.find(printed(elsewhere))
    events.forget(at[at >= 0])
    at = events.find(printed(old))
    assert [position >= 0 for position in at] == [name in {*new} - {*elsewhere} for name in old]
    events.drop(at[at >= 0])
    gone = {*elsewhere, *old}
    wanted = [name not in gone and name not in new[:number] for number, name in enumerate(new)]
    assert events.wanted.tolist() == wanted


def test_half_a_print_is_not_enough() -> None:
    # As if 64 bits were alike by chance.
    alike = Fingerprints(np.array([7, 7, 7, 9], np.uint64), np.array([1, 3, 5, 1], np.uint64))
    events = EventIndex([alike])
    assert events.wanted.all()
    asked = Fingerprints(np.array([7, 7, 7, 7, 9, 9], np.uint64), np.array([5, 2, 1, 6, 1, 3], np.uint64))
    assert [position >= 0 for position in events.find(asked)] == [True, False, True, False, True, False]


def test_prints_tell_a_name_from_another() -> None:
    one, two = printed(["a", "b", "a\x1f", ""]), printed(["a", "", "c", "b"])
    pairs = [list(zip(*map(list, part), strict=True)) for part in (one, two)]
    assert len({*pairs[0]}) == 4
    assert {*pairs[0]} & {*pairs[1]} == {pairs[0][0], pairs[0][1], pairs[0][3]}
