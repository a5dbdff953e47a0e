"""``firehose summaries``: loads published batches into the summary tables. The DAG's task does the same."""

from __future__ import annotations

from typing import Annotated

import typer


def summaries(
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Bring ClickHouse's summary tables up to the lake's batch ledger."""
    import msgspec

    from firehose import settings
    from firehose.warehouse.summaries import refresh

    result = refresh(settings.load())
    if as_json:
        loaded = {"batches": result.batches, "hours": result.hours, "seconds": result.seconds}
        typer.echo(msgspec.json.encode(loaded | {"waiting": result.waiting}))
        return
    typer.echo(
        f"loaded {len(result.batches)} batches, rebuilt {result.hours} hours in {result.seconds:.1f} s", err=True
    )
