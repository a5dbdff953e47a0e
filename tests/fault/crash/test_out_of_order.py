"""Batches out of order, cleared or killed: the ledger's counts follow the rows, wherever these went."""

from __future__ import annotations

import signal

import pytest

from firehose.lake.verify import verify
from firehose.store import LocalLake
from ingester.contract.crash import Point
from tests.fault.crash.world import World


@pytest.fixture
def later_first(world: World) -> World:
    """The second batch is published before the first one, whose events it repeats."""
    world.go_back("validated")
    world.run(("publish", world.batches[1]))
    return world


def problems(world: World) -> list[str]:
    """What is wrong with the lake, once both batches are published."""
    assert len(world.ledger()) == 2
    return verify(LocalLake(world.lake)).problems


def test_the_earlier_batch_takes_its_rows_back(later_first: World) -> None:
    one, _ = later_first.batches
    later_first.run(("publish", one))
    assert problems(later_first) == []


@pytest.mark.parametrize("again", [(0,), (1, 0)])
def test_a_cleared_batch_counts_what_it_has_now(later_first: World, again: tuple[int, ...]) -> None:
    later_first.run(("publish", later_first.batches[0]))
    for number in again:
        later_first.run(("publish", later_first.batches[number]))
        assert problems(later_first) == []


@pytest.mark.parametrize("point", [Point.HOUR_RENAMED, Point.HOURS_DONE, Point.LEDGER_RENAMED])
def test_a_death_while_it_takes_them_back(later_first: World, point: Point) -> None:
    one, _ = later_first.batches
    assert later_first.die(point, ("publish", one)).code == -signal.SIGKILL
    later_first.run(("publish", one))
    assert problems(later_first) == []
