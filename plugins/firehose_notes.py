"""What a run's note says: which interval it is for, what came of it, why it was skipped or has failed.

Lives here: the words, and the listener that writes them when a run begins and when it has ended. Must not:
pipeline logic, or a heavy import: every Airflow process loads this file; only the scheduler writes notes.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final

from airflow.listeners import hookimpl

if TYPE_CHECKING:
    from airflow.models.dagrun import DagRun

#: What a task says in one line when it is skipped or fails, as an XCom.
SAID: Final = "said"
#: Who writes these notes, in Airflow's database: a note of a person is left as it is.
_AUTHOR: Final = "firehose"
#: Airflow's column has no room for more.
_LONGEST: Final = 1000


class RunNotes:
    """A listener, which Airflow's scheduler calls with the run that it is about to store."""

    @hookimpl
    def on_dag_run_running(self, dag_run: DagRun, msg: str) -> None:
        """A run that begins: its interval, at once, since Airflow names runs of backfills by the next batch."""
        _write(dag_run, ended=False)

    @hookimpl
    def on_dag_run_success(self, dag_run: DagRun, msg: str) -> None:
        """A run whose tasks have succeeded or were skipped."""
        _write(dag_run, ended=True)

    @hookimpl
    def on_dag_run_failed(self, dag_run: DagRun, msg: str) -> None:
        """A run with a failed task."""
        _write(dag_run, ended=True)


def note(interval: str, results: Mapping[str, Mapping[str, Any]], said: Mapping[str, str]) -> str:
    """The note of one run: ``interval`` in words, what tasks have returned and ``said``, each by task."""
    lines = [interval] if interval else []
    lines += [f"{task}: {line}" for task, line in said.items()]
    if scanned := results.get("scan"):
        days = scanned["days"]
        span = f" of {len(days):,} days, {days[0]} to {days[-1]}" if days else ""
        lines.append(
            f"{scanned['records']:,} records{span} in {scanned['files']:,} new files, "
            f"{scanned['refused']:,} refused"
        )
    validated, published = results.get("validate", {}), results.get("publish", {})
    if drained := results.get("drain"):
        gaps = drained.get("open_gaps", 0)
        lines.append(f"{drained['events']:,} events received" + (f", {gaps} open gaps" if gaps else ""))
    if validated:
        suites = ", ".join(validated["failed_expectations"]) if not validated["suite_success"] else ""
        lines.append(
            f"{validated['quarantined']:,} quarantined ({validated['error_rate']:.3%}), "
            f"suites {f'failed: {suites}' if suites else 'passed'}"
        )
    if published:
        lines.append(
            f"{published['stored']:,} stored in {len(published['files'])} files, "
            f"{published['duplicates']:,} had been stored before"
        )
    text = "\n".join(lines)
    return text if len(text) <= _LONGEST else text[: _LONGEST - 1] + "…"


def _write(run: DagRun, *, ended: bool) -> None:
    """Write or replace the note of a run of this project; before it has ended, its interval only."""
    from airflow.models.xcom import XComModel
    from sqlalchemy import select
    from sqlalchemy.orm import object_session

    session = object_session(run)
    if session is None or not run.dag_id.startswith("firehose_"):
        return
    if run.dag_run_note is not None and run.dag_run_note.user_id != _AUTHOR:
        return
    columns = (XComModel.task_id, XComModel.key, XComModel.value)
    found = select(*columns).where(
        XComModel.dag_run_id == run.id, XComModel.key.in_(("return_value", SAID)), XComModel.map_index == -1
    )
    results, said = {}, {}
    for row in session.execute(found) if ended else ():
        value = XComModel.deserialize_value(row)
        if row.key == SAID:
            said[row.task_id] = str(value)
        elif isinstance(value, dict):
            results[row.task_id] = value
    interval = ""
    if run.data_interval_start and run.data_interval_end and run.dag_id == "firehose_batch":
        start, end = run.data_interval_start, run.data_interval_end
        interval = f"Batch {start:%Y%m%dT%H%M%SZ}: {start:%Y-%m-%d %H:%M} to {end:%H:%M} UTC"
    if run.logical_date and run.dag_id == "firehose_backfill":
        interval = f"Old data of {run.logical_date:%Y-%m-%d}"
    text = note(interval, results, said)
    if not text:
        return
    if run.dag_run_note is None:
        run.note = (text, _AUTHOR)
    else:  # Airflow's own setter would store the pair as the text, which ends the scheduler
        run.dag_run_note.content = text
