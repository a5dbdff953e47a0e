"""Some schedules of the soak, the same ones each time. ``make soak`` runs hundreds of random ones."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from hypothesis.stateful import run_state_machine_as_test

from tests.fault.soak import machine, schedule
from tests.fault.soak.profile import profile

SCHEDULES = 6


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
