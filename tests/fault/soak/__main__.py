"""``python -m tests.fault.soak``: many random schedules in several processes, and a summary of what fired.

Lives here: the workers and their sum. The schedules are the machine's. Exits with 1 if a schedule failed, if there
were too few, or if a kind of fault never fired.
"""

from __future__ import annotations

import argparse
import secrets
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path
from typing import Any

import msgspec

from tests.fault.soak.steps import REPOSITORY

_WORKER = "--worker"


def main() -> int:
    """Start the workers, or be one."""
    options = _options()
    if options.worker:
        from tests.fault.soak.worker import work

        return work(options.schedules, options.seed, options.worker, shrink=options.shrink)
    began = time.monotonic()
    folder = REPOSITORY / ".hypothesis" / "soak"
    folder.mkdir(parents=True, exist_ok=True)
    print(f"{options.schedules} schedules in {options.workers} processes, --seed {options.seed}", flush=True)
    reports = [folder / f"worker-{number}.json" for number in range(options.workers)]
    share = -(-options.schedules // options.workers)
    workers = [
        _start(share, options.seed * 1000 + number, report, options) for number, report in enumerate(reports)
    ]
    codes = [worker.wait() for worker in workers]
    return _judge(options, codes, reports, time.monotonic() - began)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.fault.soak", description=__doc__)
    parser.add_argument("--schedules", type=int, default=200)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--seed", type=int, default=secrets.randbelow(1_000_000))
    parser.add_argument("--shrink", action=argparse.BooleanOptionalAction, default=True)
    parser.add_argument(_WORKER, type=Path, help=argparse.SUPPRESS)
    return parser.parse_args()


def _start(schedules: int, seed: int, report: Path, options: argparse.Namespace) -> subprocess.Popen[bytes]:
    report.unlink(missing_ok=True)
    command = [sys.executable, "-m", "tests.fault.soak", "--schedules", str(schedules), "--seed", str(seed)]
    command += [] if options.shrink else ["--no-shrink"]
    return subprocess.Popen([*command, _WORKER, str(report)], cwd=REPOSITORY)


def _judge(options: argparse.Namespace, codes: list[int], reports: list[Path], seconds: float) -> int:
    found: list[dict[str, Any]] = [msgspec.json.decode(path.read_bytes()) for path in reports if path.exists()]
    total: Counter[str] = sum((Counter(one["summary"]) for one in found), Counter())
    faults: Counter[str] = sum((Counter(one["faults"]) for one in found), Counter())
    points: Counter[str] = sum((Counter(one["points"]) for one in found), Counter())
    print(
        f"\n{total['schedules']} schedules, {total['intervals']} intervals, {total['events']} events sent, ",
        end="",
    )
    print(f"{total['delivered']} delivered, {total['missing']} in recorded gaps; {seconds:.0f} s")
    silent = _listed("faults fired", faults, found[0]["kinds"] if found else [])
    _listed("died at crash points", points, [])
    failed = any(codes) or total["schedules"] < options.schedules or silent
    if failed:
        print(
            f"FAILED: again with --schedules {options.schedules} --workers {options.workers} --seed {options.seed}"
        )
    return int(bool(failed))


def _listed(title: str, counts: Counter[str], wanted: list[str]) -> list[str]:
    """Print counts; returns what of ``wanted`` has none."""
    print(f"{title}:")
    for name in sorted({*counts, *wanted}):
        print(f"  {counts[name]:6}  {name}" + ("" if counts[name] else "  <- never"))
    return [name for name in wanted if not counts[name]]


if __name__ == "__main__":
    sys.exit(main())
