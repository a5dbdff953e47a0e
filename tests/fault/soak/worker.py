"""One process of the soak: schedules from one seed until there are enough, and a report of what fired."""

from __future__ import annotations

import sys
import traceback
from pathlib import Path
from typing import Final

import hypothesis
import msgspec
from hypothesis.database import DirectoryBasedExampleDatabase
from hypothesis.stateful import run_state_machine_as_test

from tests.fault.soak import machine, schedule
from tests.fault.soak.clock import library
from tests.fault.soak.faults import Fault
from tests.fault.soak.profile import profile
from tests.fault.soak.steps import REPOSITORY

#: Schedules of one seed. Hypothesis varies what it has tried before, so that more of one seed are much alike.
SCHEDULES: Final = 10


def work(schedules: int, seed: int, report: Path, *, shrink: bool) -> int:
    """Run at least ``schedules`` schedules; returns the exit code."""
    database = DirectoryBasedExampleDatabase(REPOSITORY / ".hypothesis" / "soak" / "examples")
    failed = False
    try:
        while schedule.SUMMARY.schedules < schedules and not failed:
            most = min(schedules - schedule.SUMMARY.schedules, SCHEDULES)
            settings = profile(most, database=database, shrink=shrink)
            seeded = hypothesis.seed(seed)(type("Firehose", (machine.Firehose,), {}))
            try:
                run_state_machine_as_test(seeded, settings=settings)
            except Exception:  # noqa: BLE001 - whatever a schedule fails with is the soak's finding, and printed
                traceback.print_exc()
                failed = True
            seed += 1_000_000_000
    finally:
        schedule.close()
    said = {
        "summary": schedule.SUMMARY,
        "faults": schedule.FIRED.faults,
        "points": schedule.FIRED.points,
        # Redis' clock needs a compiler.
        "kinds": [
            kind for kind in Fault if library() or kind not in (Fault.REDIS_CLOCK_FORWARD, Fault.REDIS_CLOCK_BACK)
        ],
    }
    report.write_bytes(msgspec.json.encode(said))
    sys.stderr.flush()
    return int(failed)
