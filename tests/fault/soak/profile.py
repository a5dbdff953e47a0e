"""The one Hypothesis profile of the schedules, short or long."""

from __future__ import annotations

from typing import Final

from hypothesis import HealthCheck, Phase, settings
from hypothesis.database import ExampleDatabase

#: Rules of one schedule, at most.
STEPS: Final = 14


def profile(schedules: int, *, database: ExampleDatabase | None = None, shrink: bool = True) -> settings:
    """For this many schedules: with a database random ones, kept and shrunk if they fail; else always the same.

    Schedules run in real time, on processes: no deadline, and they are slow on purpose.
    """
    return settings(
        max_examples=schedules,
        stateful_step_count=STEPS,
        deadline=None,
        derandomize=database is None,
        database=database,
        phases=[Phase.generate]
        if database is None
        else [Phase.reuse, Phase.generate, *([Phase.shrink] if shrink else [])],
        suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.filter_too_much],
        print_blob=True,
        report_multiple_bugs=False,  # a search for a second one takes as long as the soak itself
    )
