"""``firehose coverage``: prints the gaps that lake and Redis know of, and how much time is missing. Thin."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from ingester.contract.gap import Gap


def coverage(
    as_json: Annotated[bool, typer.Option("--json", help="Print a JSON object for each gap, one a line.")] = False,
    only_open: Annotated[bool, typer.Option("--open", help="Only gaps that are still open.")] = False,
) -> None:
    """List the gaps in coverage, newest last, and how much time is missing.

    In JSON, ``healed`` and ``old_reason`` repeat ``filled`` and ``reason`` as they were named before.
    """
    import msgspec

    from firehose.batch.coverage import known_gaps, read_gaps
    from firehose.batch.gaps import missing_us, open_gaps
    from firehose.errors import FirehoseError, ServiceUnavailable
    from firehose.settings import load
    from firehose.store import LocalLake
    from ingester.contract.gap import OLD_REASONS

    settings = load()
    lake = settings.lake_path
    if isinstance(lake, LocalLake) and not lake.is_dir():
        raise FirehoseError(f"{lake}: no lake there; name the folder with FIREHOSE_LAKE")
    try:
        gaps = known_gaps(settings)
    except ServiceUnavailable as error:
        typer.echo(f"as of the last batch, since {error}", err=True)
        gaps = read_gaps(lake)
    still_open = open_gaps(gaps)
    shown = still_open if only_open else gaps
    if as_json:
        for gap in shown:
            old_name = {"old_reason": OLD_REASONS.get(gap.reason, gap.reason)}
            typer.echo(msgspec.json.encode(msgspec.structs.asdict(gap) | old_name))
    elif shown:
        _print(shown)
    seconds = missing_us(gaps) / 1e6
    typer.echo(
        f"gaps: {len(gaps)}, {len(still_open)} open; {seconds:,.3f} s of witnessed time are missing", err=True
    )


def _print(gaps: list[Gap]) -> None:
    from rich.table import Table

    from firehose.batch.gaps import instant
    from firehose_cli.console import stdout

    table = Table("from", "to", "type", "reason", "host", "filled by", "id", box=None)
    for gap in gaps:
        where = f"{gap.host} {gap.protocol}".strip()
        span = (instant(gap.from_us), instant(gap.to_us))
        table.add_row(*span, gap.queue or "all", gap.reason, where, gap.filled or "open", gap.id)
    stdout().print(table)
