"""Some schedules of the soak, the same ones each time. ``make soak`` runs hundreds of random ones."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from hypothesis.stateful import run_state_machine_as_test

from ingester.hosts import V1, V2
from tests.fault.soak import faults, machine, schedule
from tests.fault.soak.pairs import Pair
from tests.fault.soak.ports import until
from tests.fault.soak.profile import profile

SCHEDULES = 4


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


@pytest.mark.parametrize("speak", [(V1, V1), (V2, V1)], ids="+".join)
def test_a_failover_across_an_hour_stores_each_event_once(speak: Pair, monkeypatch: pytest.MonkeyPatch) -> None:
    """Found by a random schedule: the hosts stamp the last event of the hour on either side of its end."""
    for module, name in ((schedule, "note"), (faults, "event")):
        monkeypatch.setattr(module, name, lambda _: None)  # these want to be called by Hypothesis
    state = machine.Firehose()
    try:
        state.begin(speak=speak, rewind_ms=1000, seed=1, count=390, done=1)
        state.host_down(which=0)
        state.events_arrive(count=50, step_us=0, settle=True)
        until(lambda: state.plant.buffer.host() == state.plant.hosts[1].name, "the other host is listened to")
        state.life_goes_on()
        state.cut(wait=True)
    finally:
        state.teardown()
    assert state.spoken.seen == set(speak)
