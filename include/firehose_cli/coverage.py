"""``firehose coverage``: prints the gaps that lake and Redis know of, and how much time is missing. Thin."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from firehose.batch.gaps import GapLine
    from ingester.contract.gap import Gap


def coverage(
    as_json: Annotated[bool, typer.Option("--json", help="Print a JSON object for each gap, one a line.")] = False,
    only_open: Annotated[bool, typer.Option("--open", help="Only gaps that are still open.")] = False,
    each: Annotated[bool, typer.Option("--each", help="A line for each record, with its id.")] = False,
) -> None:
    """List the gaps in coverage, newest last, and how much time is missing.

    Gaps of one reason, type and host that adjoin or overlap are one line; --each shows their records. In JSON each
    record is an object; ``healed`` and ``old_reason`` repeat ``filled`` and ``reason`` as they were named before.
    """
    import msgspec

    from firehose.batch.coverage import known_gaps, read_gaps
    from firehose.batch.gaps import lines, missing_us, open_gaps
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
    elif shown and each:
        _print_each(shown)
    elif shown:
        _print(lines(shown))
    seconds = missing_us(gaps) / 1e6
    typer.echo(
        f"gaps: {len(gaps)}, {len(still_open)} open; {seconds:,.3f} s of witnessed time are missing", err=True
    )


def _print(shown: list[GapLine]) -> None:
    from rich.table import Table

    from firehose.alerts.wording import length
    from firehose.batch.gaps import instant
    from firehose_cli.console import stdout

    table = Table("from", "to", "lasted", "type", "reason", "host", "filled by", "records", box=None)
    for line in shown:
        where = f"{line.host} {line.protocol}".strip()
        lasted = length(timedelta(microseconds=line.to_us - line.from_us))
        span = (instant(line.from_us), instant(line.to_us), lasted)
        filled = line.filled or "open"
        table.add_row(*span, line.queue or "all", line.reason, where, filled, str(len(line.ids)))
    stdout().print(table)


def _print_each(gaps: list[Gap]) -> None:
    from rich.table import Table

    from firehose.batch.gaps import instant
    from firehose_cli.console import stdout

    table = Table("from", "to", "type", "reason", "host", "filled by", "id", box=None)
    for gap in gaps:
        where = f"{gap.host} {gap.protocol}".strip()
        span = (instant(gap.from_us), instant(gap.to_us))
        table.add_row(*span, gap.queue or "all", gap.reason, where, gap.filled or "open", gap.id)
    stdout().print(table)
