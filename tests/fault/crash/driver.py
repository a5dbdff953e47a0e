"""A warm process that forks one child for each run of steps, as Airflow's scheduler forks its tasks.

Great Expectations costs seconds to import: here it is imported once. Reads one request a line, JSON, from standard
input, and answers with the child's exit status. Must not: compute anything itself, since a fork keeps no threads.
"""

from __future__ import annotations

import os
import sys
import traceback
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import msgspec

from firehose.batch.drain import drain
from firehose.batch.interval import Batch
from firehose.lake import layout
from firehose.lake.ledger import read_ledger
from firehose.lake.publish import publish
from firehose.lake.rebuild import rebuild
from firehose.maintenance.run import Maintenance
from firehose.quality.validate import validate
from firehose.schema import LIKES
from firehose.settings import Settings
from firehose.store import LocalLake
from firehose.warehouse.summaries import refresh
from ingester.contract import crash

STEPS: dict[str, Callable[[Settings, Batch], object]] = {
    "drain": drain,
    "validate": validate,
    "publish": publish,
    "rebuild": lambda settings, _: rebuild(
        settings.local_lake, LIKES, _first_hour(settings.local_lake), reason="test"
    ),
    "refresh": lambda settings, _: refresh(settings),
    "maintain": lambda settings, _: _maintain(settings),
}


def _maintain(settings: Settings) -> None:
    """As after two years, when all that has a retention is over."""
    work = Maintenance(settings, "test", clock=lambda: datetime.now(UTC) + timedelta(days=800))
    assert not work.close(600).problems
    assert not work.check(600).problems
    assert not work.expire().kept


def _first_hour(lake: Path) -> list[int]:
    named = (
        name for entry in read_ledger(LocalLake(lake)) for name, types in entry.hours.items() if LIKES in types
    )
    return [layout.parse_hour(min(named))]


class Request(msgspec.Struct):
    """Run ``steps`` (name and batch) in order in a child whose environment holds ``environ`` as well."""

    settings: Settings
    steps: list[tuple[str, Batch]]
    environ: dict[str, str] = {}


def main() -> None:
    """Serve until standard input ends."""
    for line in sys.stdin.buffer:
        request = msgspec.json.decode(line, type=Request)
        child = os.fork()
        if not child:
            os._exit(_run(request))
        print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), flush=True)


def _run(request: Request) -> int:
    try:
        crash.arm(request.environ)
        for name, batch in request.steps:
            STEPS[name](request.settings, batch)
    except BaseException:  # noqa: BLE001 - whatever it was, the parent's copy of this stack must not go on
        traceback.print_exc()
        return 1
    return 0


if __name__ == "__main__":
    main()
