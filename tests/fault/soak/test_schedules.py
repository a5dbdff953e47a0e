"""Some schedules of the soak, the same ones each time. ``make soak`` runs hundreds of random ones."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from hypothesis.stateful import run_state_machine_as_test

from ingester.jetstream.hosts import V1, V2
from tests.fault.soak import faults, machine, schedule
from tests.fault.soak.pairs import Pair
from tests.fault.soak.profile import profile
from tests.support.waiting import until

SCHEDULES = 2


@pytest.fixture(autouse=True)
def driver() -> Iterator[None]:
    """Ended in time, so that its children are."""
    yield
    schedule.close()


@pytest.mark.timeout(1200)
def test_every_event_is_accounted_for_under_random_faults() -> None:
    before = schedule.SUMMARY.schedules
    run_state_machine_as_test(machine.Firehose, settings=profile(SCHEDULES))
    assert schedule.SUMMARY.schedules - before == SCHEDULES
    assert schedule.FIRED.faults.total() > SCHEDULES


@pytest.fixture
def by_hand(monkeypatch: pytest.MonkeyPatch) -> None:
    """For rules that are called without Hypothesis: what they tell it goes nowhere."""
    for module, name in ((schedule, "note"), (faults, "event")):
        monkeypatch.setattr(module, name, lambda _: None)


@pytest.mark.parametrize("speak", [(V1, V1), (V2, V1)], ids="+".join)
@pytest.mark.usefixtures("by_hand")
def test_a_failover_across_an_hour_stores_each_event_once(speak: Pair) -> None:
    """Found by a random schedule: the hosts stamp the last event of the hour on either side of its end."""
    state = machine.Firehose()
    try:
        state.begin(speak=speak, rewind_ms=1000, seed=1, count=390, done=1)
        state.host_down(which=0)
        state.events_arrive(count=50, step_us=0, settle=True)
        until(lambda: state.plant.buffer.host() == state.plant.hosts[1].name, what="the other host is listened to")
        state.life_goes_on()
        state.cut(wait=True)
    finally:
        state.teardown()
    assert state.spoken.seen == set(speak)


@pytest.mark.usefixtures("by_hand")
def test_hour_files_that_are_lost_amid_a_schedule_are_made_again() -> None:
    state = machine.Firehose()
    try:
        state.begin(speak=(V1, V2), rewind_ms=1000, seed=2, count=300, done=3)
        for number in range(3):
            state.lose_an_hour_file(number=number)
            state.events_arrive(count=50, step_us=0, settle=True)
            state.step_again(which=0, step="publish")
    finally:
        state.teardown()
    assert schedule.FIRED.faults[faults.Fault.HOUR_LOST] >= 3


@pytest.mark.usefixtures("by_hand")
def test_a_rebuilt_host_that_gives_a_known_number_to_a_later_event_loses_none() -> None:
    """Found by a random schedule: the later event was taken for the one that was asked for."""
    state = machine.Firehose()
    try:
        state.begin(speak=(V2, V2), rewind_ms=20, seed=1, count=10, done=0)
        state.host_down(which=1)
        state.host_counts_again(which=0, by=-60, count=100)
        state.events_arrive(count=10, step_us=0, settle=True)
    finally:
        state.teardown()
    assert schedule.FIRED.faults[faults.Fault.COUNTS_AGAIN]
