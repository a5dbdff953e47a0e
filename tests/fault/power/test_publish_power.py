"""Power fails while a batch is published: the ledger never says more than the hour files on the disk hold."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from firehose import schema
from firehose.batch.interval import Batch
from firehose.lake import layout
from firehose.lake.ledger import entry_path, read_entry
from firehose.lake.publish import publish
from firehose.settings import Settings
from firehose.store import LocalLake
from ingester.contract.crash import Point
from tests.fault.power.journal import Event, Names, Returned
from tests.fault.power.machine import Machine
from tests.support.copies import (
    BATCHES,
    HOUR,
    Copy,
    after,
    assert_sound,
    before,
    counts_of,
    hours_of,
    run,
    stage,
    stored,
    wanted,
)

NewMachine = Callable[[], Machine]
Given = dict[Batch, list[Copy]]
EARLIER, LATER = BATCHES[:2]
# The later batch is there first. The earlier one takes two rows from its hour and has none for it, so that what it
# has changed there is not written again by chance.
GIVEN = {EARLIER: [before(1), before(2), before(7, 2000)], LATER: [after(1), after(2), after(3)]}
DEATHS = [f"{point}:{nth}" for point in (Point.HOUR_SYNCED, Point.HOUR_RENAMED) for nth in (1, 2)]


def step(settings: Settings) -> None:
    """The publication under test."""
    publish(settings, EARLIER)


@pytest.fixture
def new_lake(new_machine: NewMachine) -> NewMachine:
    """Each call: a machine with the later batch published, and the earlier one validated."""
    return lambda: prepared(new_machine(), GIVEN)


def prepared(machine: Machine, given: Given) -> Machine:
    """The machine, with the later batch published, and the earlier one validated."""
    stage(machine.settings.local_lake, LATER, given[LATER])
    run(machine.settings.local_lake, LATER)
    stage(machine.settings.local_lake, EARLIER, given[EARLIER])
    return machine


def says_published(event: Event) -> bool:
    """Whether the ledger's entry has just taken its name, or the step is through."""
    return isinstance(event, Returned) or (isinstance(event, Names) and f"batch={EARLIER.id}.json" in event.names)


def is_published(lake: Path) -> bool:
    """Whether the ledger on the disk says so."""
    return read_entry(LocalLake(entry_path(lake, EARLIER))) is not None


def assert_whole(lake: Path, given: Given = GIVEN) -> None:
    """All that should be there is, once, and counted right."""
    assert stored(lake) == wanted(given)
    assert_sound(lake)
    assert counts_of(lake, EARLIER).displaced == 2
    assert hours_of(lake, EARLIER) == {HOUR - 1, HOUR}


def test_power_lost_at_any_moment_of_a_publication_loses_and_doubles_nothing(new_lake: NewMachine) -> None:
    publish_through_power_losses(new_lake(), GIVEN)


def test_power_lost_between_two_replacements_of_one_hour_file(new_machine: NewMachine) -> None:
    """The earlier batch takes rows from the later hour, and then has one of its own for it."""
    given = {**GIVEN, EARLIER: [*GIVEN[EARLIER], after(8)]}
    publish_through_power_losses(prepared(new_machine(), given), given)


def publish_through_power_losses(machine: Machine, given: Given) -> None:
    """Publish; on every disk that a power loss may leave meanwhile nothing is lost, and a rerun completes it."""
    ended = machine.run(step)
    assert ended.code == 0, ended.said
    found = Counter[bool]()
    for loss in machine.power_losses(lambda event: True):
        lake = loss.settings.local_lake
        for path in layout.hour_files(lake, schema.LIKES):
            pq.read_metadata(path)
        assert {event for rows in stored(lake).values() for event, _, _ in rows} >= {1, 2, 3}
        found[published := is_published(lake)] += 1
        assert published or "step" not in loss.returned
        if not published:
            run(lake, EARLIER)
        assert_whole(lake, given)
    assert found[True] > 3 and found[False] > 10


@pytest.mark.parametrize("at", [*DEATHS, Point.HOURS_DONE, Point.LEDGER_SYNCED, Point.LEDGER_RENAMED])
def test_power_lost_after_a_death_and_a_rerun_of_a_publication(new_lake: NewMachine, at: str) -> None:
    machine = new_lake()
    assert machine.run(step, at=at).code == -9
    assert machine.proof.startswith(at.partition(":")[0])
    ended = machine.run(step)
    assert ended.code == 0, ended.said
    assert_published_once_it_is_said(machine)


def test_a_sync_that_fails_stops_the_publication_and_the_retry_is_whole(new_lake: NewMachine) -> None:
    machine = new_lake()
    assert machine.run(step).code == 0
    for number in machine.syncs_of_interest():
        machine = new_lake()
        ended = machine.run(step, fail_sync=number)
        assert ended.said.startswith("DiskFailed: ") and "\n" not in ended.said, ended
        ended = machine.run(step)
        assert ended.code == 0, ended.said
        assert_published_once_it_is_said(machine, lambda event: isinstance(event, Returned))


def assert_published_once_it_is_said(machine: Machine, at: Callable[[Event], bool] = says_published) -> None:
    """On every disk on which the ledger has the batch, all of it is there."""
    found = Counter[bool]()
    for loss in machine.power_losses(at):
        found[published := is_published(loss.settings.local_lake)] += 1
        if published:
            assert_whole(loss.settings.local_lake)
    assert found[True]
