"""``python -m tests.fault.soak_hour``: the whole pipeline for an hour, under load and faults, judged from outside.

Lives here: options, and the order of things. Exits with 1 if a bound is missed.
"""

from __future__ import annotations

import argparse
import json
import secrets
import shutil
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from statistics import median
from typing import Final
from urllib.parse import urlsplit

from tests.fault.soak_hour import ending
from tests.fault.soak_hour.availability import availability
from tests.fault.soak_hour.conservation import account
from tests.fault.soak_hour.expectations import outcomes, still_told, unexpected
from tests.fault.soak_hour.faults import FAULTS
from tests.fault.soak_hour.plant import Plant
from tests.fault.soak_hour.probes import Probes
from tests.fault.soak_hour.report import Report
from tests.fault.soak_hour.sampling import Sampling, Verdict
from tests.fault.soak_hour.schedule import Schedule
from tests.support.waiting import until

#: How long (seconds) alerts may take to clear after the last fault: the longest, of bad data, lasts 30 minutes.
_CLEAR_S: Final = 2400.0
_DEADMAN_S: Final = 60.0


def main() -> int:
    """Run the hour; 0 if every bound was kept."""
    options = _options()
    root = Path(tempfile.mkdtemp(prefix="firehose-soak-hour-"))
    to = sys.stderr if options.json else sys.stdout

    def say(line: str) -> None:
        print(f"{datetime.now(UTC):%H:%M:%S}  {line}", file=to, flush=True)

    say(
        f"{options.rate:,} events a minute for {options.minutes:g} minutes, --seed {options.seed}; "
        f"all of it is in {root}"
    )
    report = _run(options, root, say)
    missed = list(report.missed())
    if options.json:
        print(json.dumps(report.as_json(), indent=2))
    else:
        print("\n".join(report.as_text()), flush=True)
    if missed or options.keep:
        say(f"kept: {root}")
    else:
        shutil.rmtree(root)
    return int(bool(missed))


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.fault.soak_hour", description=__doc__)
    parser.add_argument("--minutes", type=float, default=60.0, help="how long faults are injected")
    parser.add_argument("--rate", type=int, default=100_000, help="events a minute")
    parser.add_argument(
        "--seed", type=int, default=secrets.randbelow(1_000_000), help="of events and order of faults"
    )
    parser.add_argument(
        "--fault-every", type=float, default=3.0, help="minutes from one fault to the next, at least"
    )
    parser.add_argument("--batch-minutes", type=int, default=1, help="length of a batch")
    names = [fault.name for fault in FAULTS]
    parser.add_argument("--only", action="append", choices=names, default=[], help="this fault only; repeatable")
    parser.add_argument("--keep", action="store_true", help="keep everything, also after a run that passed")
    parser.add_argument(
        "--json", action="store_true", help="print the report as JSON, and lines to standard error"
    )
    return parser.parse_args()


def _run(options: argparse.Namespace, root: Path, say: Callable[[str], None]) -> Report:
    with Plant(root, options.rate / 60, options.seed, options.batch_minutes) as plant:
        say("an analyst is answered: the time begins")
        began, stop = time.monotonic(), threading.Event()
        probes, sampling = Probes(plant), Sampling(plant)
        watch = threading.Thread(target=_watch_from_outside, args=(plant, stop), daemon=True)
        watch.start()
        schedule = Schedule(plant, options.only, options.seed, say)
        schedule.run(began + options.minutes * 60, options.fault_every * 60)
        time.sleep(max(0.0, began + options.minutes * 60 - time.monotonic()))
        _wait_until_clear(plant, say)
        seconds = time.monotonic() - began
        stop.set()
        probes.stop()
        processes: list[Verdict] = sampling.stop()
        watch.join()
        found = {name: availability(seen, schedule.outages.get(name, [])) for name, seen in probes.seen.items()}
        say("; ".join(f"{name}: {each.own:.3%}, of all looks {each.raw:.3%}" for name, each in found.items()))
        say("the source ends, and what it has sent becomes batches")
        _end(plant)
        made = ending.take_in_the_rest(plant.settings, urlsplit(plant.settings.redis_url).port or 0)
        plant.keep()
        say(f"{made} batches were left; the oracle looks for {plant.record.count:,} events")
        events = account(plant.settings.local_lake, plant.record.ended(), plant.record.kinds, plant.relay.inserted)
        told = plant.told()
        return Report(
            vars(options),
            seconds,
            (median(sampling.load), max(sampling.load)),
            [done.fault for done in schedule.done],
            schedule.failed,
            found,
            processes,
            events,
            outcomes(schedule.done, told),
            unexpected(schedule.done, told),
            still_told(told),
            (len(told), len(plant.mailbox.received)),
        )


def _wait_until_clear(plant: Plant, say: Callable[[str], None]) -> None:
    if still := still_told(plant.told()):
        say(f"no further fault; waiting for alerts to clear: {', '.join(still)}")
    deadline = time.monotonic() + _CLEAR_S
    while still_told(plant.told()) and time.monotonic() < deadline:
        time.sleep(1)


def _watch_from_outside(plant: Plant, stop: threading.Event) -> None:
    while not stop.wait(_DEADMAN_S):
        plant.watch_from_outside()


def _end(plant: Plant) -> None:
    """End the source, let the ingester write what it has, then stop all services in order."""
    plant.source.stop()
    sent = plant.record.ended()["time_us"].max()
    with plant.redis("monitoring") as client:
        until(
            lambda: int(client.hget("firehose:metadata", "time_us") or 0) >= sent,
            120,
            what="all of it is in Redis",
        )
    plant.end()


if __name__ == "__main__":
    sys.exit(main())
