"""Links of a task: to its batch, the batch's quality, and the runbook, on the Firehose page.

Airflow keeps them when a task ends. Must not: pipeline logic, or a heavy import, since every parse of a DAG file
runs this.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Final

from airflow.sdk import BaseOperatorLink
from firehose_web import page_path

if TYPE_CHECKING:
    from airflow.sdk import BaseOperator
    from airflow.sdk.types import TaskInstanceKey

_BATCH: Final = re.compile(r"\d{8}T\d{6}Z")
#: A run that a backfill has made: Airflow names it by the end of its interval.
_BACKFILL: Final = re.compile(r"backfill__(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\+00:00)")


class BatchLink(BaseOperatorLink):
    """The batch: ledger entry, manifest, gaps."""

    name = "Batch"

    def get_link(self, operator: BaseOperator, *, ti_key: TaskInstanceKey) -> str:
        """Its page; empty where the run is not one of batches, and then Airflow shows none."""
        return _batch_page(ti_key, "ledger")


class QualityLink(BaseOperatorLink):
    """The batch's quality, with its Data Docs."""

    name = "Quality page"

    def get_link(self, operator: BaseOperator, *, ti_key: TaskInstanceKey) -> str:
        """As for :class:`BatchLink`."""
        return _batch_page(ti_key, "quality")


class RunbookLink(BaseOperatorLink):
    """The runbook, where it speaks of failed tasks."""

    name = "Runbook"

    def get_link(self, operator: BaseOperator, *, ti_key: TaskInstanceKey) -> str:
        """The same for every task."""
        return page_path("runbook#a-task-failed")


def _batch_page(ti_key: TaskInstanceKey, section: str) -> str:
    batch = _batch(ti_key.run_id) if ti_key.dag_id == "firehose_batch" else ""
    return page_path(f"batches/{batch}#{section}") if batch else ""


def _batch(run_id: str) -> str:
    """The id of the batch that a run is for; empty: the run's id does not say it."""
    if backfill := _BACKFILL.fullmatch(run_id):
        from firehose.settings import load

        start = datetime.fromisoformat(backfill[1]) - timedelta(minutes=load().batch_minutes)
        return f"{start.astimezone(UTC):%Y%m%dT%H%M%SZ}"
    found = _BATCH.search(run_id)
    return found[0] if found else ""


LINKS: Final = (BatchLink(), QualityLink(), RunbookLink())
