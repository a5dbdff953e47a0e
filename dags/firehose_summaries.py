"""### The lake's batches, into ClickHouse

Wakes up when `firehose_batch` has published. Brings ClickHouse's schema up to date, compares the lake's ledger
with what is loaded, and rebuilds the partitions of the summary tables that published batches have touched.

Wake-ups may come late or several in one: what to load is decided by the ledger, never by the event.
So one run at a time is enough, and clearing or triggering a run is always safe.
"""

from __future__ import annotations

from typing import Any

from airflow.sdk import dag
from firehose_steps import step
from firehose_wiring import BATCHES, DEFAULT_ARGS, start_date


@dag(
    dag_id="firehose_summaries",
    doc_md=__doc__,
    schedule=[BATCHES],
    start_date=start_date(),
    catchup=False,
    max_active_runs=1,
    default_args=DEFAULT_ARGS,
    tags=["firehose", "summaries"],
)
def firehose_summaries() -> None:
    """Wire the task."""

    @step
    def refresh() -> dict[str, Any]:
        """Bring the schema up to date, then load what only the ledger has. This task holds no rows."""
        import contextlib

        import msgspec
        from firehose_hooks import clickhouse_settings

        from firehose.warehouse.client import connect
        from firehose.warehouse.migrate import migrate
        from firehose.warehouse.summaries import refresh

        settings = clickhouse_settings()
        with contextlib.closing(connect(settings)) as client:
            migrate(client, settings)
        return dict(msgspec.to_builtins(refresh(settings)._asdict()))

    refresh()


firehose_summaries()
