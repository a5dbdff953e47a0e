"""Removing old runs from Airflow's database, by its own ``airflow db clean``.

Lives here: which rows, and the call. Must not: import Airflow, remove log files (firehose_maintenance does).
"""

from __future__ import annotations

import subprocess
import sys
from datetime import UTC, datetime, timedelta

from firehose.errors import FirehoseError
from firehose.settings import Settings


def oldest_kept(settings: Settings, now: datetime) -> datetime | None:
    """What is older is removed: runs are kept for as long as their logs. None: nothing is removed."""
    days = settings.keep_logs_days
    return (now.astimezone(UTC) - timedelta(days=days)).replace(microsecond=0) if days else None


def clean(before: datetime, *, do: bool) -> None:
    """Have Airflow remove what is older, or count it; it prints what. The last run of each DAG stays, so that the
    scheduler goes on from there; what was published is in the lake's ledger.

    Raises:
        FirehoseError: not all of it could be removed, or Airflow's database does not answer.
    """
    command = [
        sys.executable,
        "-P",
        "-m",
        "airflow",
        "db",
        "clean",
        "--clean-before-timestamp",
        before.isoformat(),
    ]
    # What was removed is kept in no second table, and locks are short.
    command += ["--skip-archive", "--batch-size", "10000", "--error-on-cleanup-failure"]
    done = subprocess.run([*command, "--yes" if do else "--dry-run"], stdin=subprocess.DEVNULL, check=False)
    if done.returncode:
        raise FirehoseError(
            f"rows from before {before:%FT%TZ} were not all removed from Airflow's database (above: why)"
        )
