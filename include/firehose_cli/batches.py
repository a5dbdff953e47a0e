"""``firehose batches``: the batches of a span, one a line.

Lives here: options, printing. Must not: read the lake (firehose.observe).
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from datetime import datetime

    from firehose.observe.listing import BatchRow

app = typer.Typer(invoke_without_command=True, help="List the batches of a span of time.")


@app.callback()
def list_batches(
    context: typer.Context,
    since: Annotated[
        str, typer.Option("--from", help="Batches from this time on: 24h, 7d, 2026-11-23T20:40:00Z.")
    ] = "24h",
    until: Annotated[
        str, typer.Option("--to", help="Batches before this time, as for --from. Default: now.")
    ] = "",
    missing: Annotated[
        bool, typer.Option("--missing", help="Only intervals that are over and of which nothing is known.")
    ] = False,
    failed: Annotated[
        bool, typer.Option("--failed", help="Only batches that were drained and are not published.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print a JSON object for each, one a line.")] = False,
) -> None:
    """List the batches of a span: state, interval, counts, durations, quality. Oldest first."""
    from datetime import UTC, datetime

    from firehose.observe.listing import State, listed
    from firehose.settings import load
    from firehose_cli.lake import existing_lake, moment_of

    if context.invoked_subcommand:
        return
    existing_lake()
    begin, end = moment_of("--from", since), moment_of("--to", until) or datetime.now(UTC)
    rows = listed(load(), begin or end, end)
    wanted = {state for state, asked in ((State.MISSING, missing), (State.UNPUBLISHED, failed)) if asked}
    _print([row for row in rows if not wanted or row.state in wanted], as_json=as_json)
    counted = Counter(str(row.state) for row in rows)
    typer.echo(", ".join(f"{count} {state}" for state, count in counted.items()) or "no batches", err=True)


def _print(rows: list[BatchRow], *, as_json: bool) -> None:
    import msgspec
    from rich.table import Table

    from firehose_cli.console import stdout

    if as_json:
        for row in rows:
            typer.echo(msgspec.json.encode(row))
        return
    columns = ("batch", "interval (UTC)", "state", "received", "good", "quarantined", "duplicates", "took", "raw")
    table = Table(*columns, box=None)
    for row in rows:
        counts = (row.received, row.good, row.quarantined, row.duplicates)
        rate = f" ({row.error_rate:.2%})" if row.error_rate else ""
        shown = ["" if count is None else f"{count:,}" for count in counts]
        shown[2] += rate
        took = "" if row.took_s is None else f"{row.took_s:.0f} s"
        table.add_row(
            row.batch, f"{_clock(row.start)} to {_clock(row.end)}", str(row.state), *shown, took, row.raw
        )
    if rows:
        stdout().print(table)


def _clock(moment: datetime) -> str:
    return f"{moment:%H:%M:%S}" if moment.second else f"{moment:%H:%M}"
