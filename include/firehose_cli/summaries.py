"""``firehose summaries``: loads published batches into the summary tables. The DAG's task does the same."""

from __future__ import annotations

from typing import Annotated

import typer


def summaries(
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Bring ClickHouse's schema up to date, and its summary tables up to the lake's batch ledger."""
    import contextlib

    import msgspec

    from firehose.settings import load
    from firehose.warehouse.client import connect
    from firehose.warehouse.migrate import migrate
    from firehose.warehouse.summaries import refresh

    settings = load()
    with contextlib.closing(connect(settings)) as client:
        migrate(client, settings)
    result = refresh(settings)
    if as_json:
        loaded = {"batches": result.batches, "hours": result.hours, "seconds": result.seconds}
        typer.echo(msgspec.json.encode(loaded | {"waiting": result.waiting}))
        return
    typer.echo(
        f"loaded {len(result.batches)} batches, rebuilt {result.hours} hours in {result.seconds:.1f} s", err=True
    )
