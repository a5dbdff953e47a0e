"""``firehose summaries``: loads published batches into the summary tables. The DAG's task does the same."""

from __future__ import annotations

import typer


def summaries() -> None:
    """Bring ClickHouse's summary tables up to the lake's batch ledger."""
    from firehose import settings
    from firehose.warehouse.summaries import refresh

    result = refresh(settings.load())
    typer.echo(
        f"loaded {len(result.batches)} batches, rebuilt {result.hours} hours in {result.seconds:.1f} s", err=True
    )
