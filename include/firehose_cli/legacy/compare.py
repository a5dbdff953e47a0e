"""``firehose legacy compare``: runs :mod:`firehose.legacy.compare`, prints the counts by day and type."""

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from firehose.legacy.compare.outcome import Comparison

_MOST = "Most records of a day and type that {what}; a number below 0 allows any."


def compare(
    root: Annotated[Path, typer.Argument(metavar="PATH", help="The old system's folder, or one with its stores.")],
    begin: Annotated[str, typer.Option("--from", help="First day (UTC), such as 2024-10-01.")] = "",
    end: Annotated[str, typer.Option("--to", help="The day after the last one.")] = "",
    types: Annotated[
        list[str] | None, typer.Option("--type", help="Only this record type; may be repeated.")
    ] = None,
    max_only_old: Annotated[int, typer.Option(help=_MOST.format(what="only the old system has"))] = 0,
    max_differs: Annotated[int, typer.Option(help=_MOST.format(what="both have, and that differ"))] = 0,
    max_only_new: Annotated[int, typer.Option(help=_MOST.format(what="only the lake has"))] = -1,
    max_undated: Annotated[int, typer.Option(help=_MOST.format(what="only the old system has, by a claim"))] = 0,
    unheard: Annotated[
        bool,
        typer.Option("--unheard", help="Let days pass on which the lake did not listen, once all is imported."),
    ] = False,
    quiet_minutes: Annotated[
        int, typer.Option(min=1, help="The old system was down if it received nothing for so long.")
    ] = 15,
    page: Annotated[Path | None, typer.Option(help="Write the result as one HTML file.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Compare the old system's records with the lake's, by type and day, matched by URI.

    What one of the two could not have is explained by kind: deletions, gaps, times in which the old system was
    down. Without --type each day's result is kept in the lake's _quality/legacy, where a cleanup asks for it.
    """
    import msgspec

    from firehose import files
    from firehose.errors import FirehoseError
    from firehose.legacy.compare.outcome import COMPARED, Thresholds
    from firehose.legacy.compare.page import page as made
    from firehose.legacy.compare.run import compare as run
    from firehose.settings import load
    from firehose_cli.lake import existing_lake

    settings = load()
    existing_lake()
    known = frozenset(COMPARED.values())
    if wrong := sorted(set(types or ()) - known):
        raise FirehoseError(f"--type {wrong[0]}: is not compared; there are {', '.join(sorted(known))}")
    limits = Thresholds(
        only_old=_most(max_only_old),
        differs=_most(max_differs),
        only_new=_most(max_only_new),
        undated=_most(max_undated),
        unheard=unheard,
    )
    report = run(
        settings,
        root,
        begin=_day("--from", begin),
        end=_day("--to", end),
        types=frozenset(types) if types else known,
        thresholds=limits,
        quiet_s=quiet_minutes * 60,
    )
    if page:
        files.write_bytes(page, made(report.days).encode())
    if as_json:
        typer.echo(msgspec.json.encode(report))
    else:
        _print(report)
    _require_passed(report)


def _require_passed(report: Comparison) -> None:
    """Say what was not read, and end with a failure unless every day has passed."""
    from firehose.errors import FirehoseError

    if report.refused:
        more = "" if report.refused == 1 else f" (and {report.refused - 1} more)"
        typer.echo(f"not read: {report.refusals[0]}{more}", err=True)
    if not report.days:
        raise FirehoseError(
            f"{report.root} has no record of these days, so nothing was compared: name days that it has, or "
            "neither --from nor --to"
        )
    if problems := report.problems:
        more = "" if len(problems) == 1 else f" (and {len(problems) - 1} more)"
        raise FirehoseError(f"not every day passed: {problems[0]}{more}")


def _most(given: int) -> int | None:
    return given if given >= 0 else None


def _day(option: str, text: str) -> date | None:
    from firehose.errors import FirehoseError

    try:
        return date.fromisoformat(text) if text else None
    except ValueError:
        raise FirehoseError(f"{option} {text}: write a day like 2024-10-01") from None


def _print(report: Comparison) -> None:
    from rich.table import Table

    from firehose.legacy.compare.outcome import SAID, Explained
    from firehose_cli.console import stdout

    columns = ("day", "heard", "type", "both", "only old", "only new", "differ", "not imported", "explained")
    table = Table(*columns, title=f"{report.root}: {report.files} files")
    for day in report.days:
        for name, counts in day.types.items():
            numbers = (counts.both, counts.only_old, counts.only_new, counts.differs, counts.unimported)
            why = "\n".join(f"{count} {SAID[Explained(kind)]}" for kind, count in counts.explained.items())
            table.add_row(str(day.day), day.heard, name, *map(str, numbers), why)
    stdout().print(table)
