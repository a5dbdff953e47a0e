"""The schedule of the batches: an interval of the clock a run, which has the name of its batch.

Lives here: run ids. Must not: pipeline logic, or a heavy import: every Airflow process loads this file.
"""

from __future__ import annotations

from datetime import UTC
from typing import TYPE_CHECKING, Any

from airflow.timetables.interval import CronDataIntervalTimetable

if TYPE_CHECKING:
    from airflow.timetables.base import DataInterval
    from airflow.utils.types import DagRunType
    from pendulum import DateTime


class BatchTimetable(CronDataIntervalTimetable):
    """A run id names the batch, by the start of its interval, as folders, the ledger and quality pages do.

    Airflow would take the time at which the run may start, which is the end of the interval: the name of the next
    batch. Runs that its backfills make are named so: they ask no timetable (``airflow/models/backfill.py`` calls
    ``DagRun.generate_run_id``), so their notes say the batch from their start on.
    """

    def generate_run_id(
        self, *, run_type: DagRunType, run_after: DateTime, data_interval: DataInterval | None, **extra: Any
    ) -> str:
        """``scheduled__20261123T204000Z``; a run by hand has the time of the click behind it."""
        if data_interval is None:  # the run fails, and says why
            return super().generate_run_id(run_type=run_type, run_after=run_after, data_interval=None, **extra)
        batch = f"{data_interval.start.astimezone(UTC):%Y%m%dT%H%M%SZ}"
        click = f"__{run_after.astimezone(UTC):%Y%m%dT%H%M%S.%fZ}" if run_type == "manual" else ""
        return run_type.generate_run_id(suffix=batch + click)
