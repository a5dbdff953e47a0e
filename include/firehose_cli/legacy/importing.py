"""``firehose legacy import``: parses options, runs :mod:`firehose.legacy.imports`, says what became of all."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from firehose.legacy.imports.run import ImportReport


def import_(
    path: Annotated[Path, typer.Argument(help="The old system's folder, or one that holds its stores.")],
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Import the old system's files: what is new in them, day by day, through the same steps as every batch."""
    import msgspec

    from firehose.legacy.imports.run import run_import
    from firehose.settings import load

    report = run_import(load(), path)
    if as_json:
        typer.echo(msgspec.json.encode(report))
    else:
        _print(report)


def _print(report: ImportReport) -> None:
    for where, place, reason in report.refused:
        typer.echo(f"refused: {where}{'#' if place else ''}{place}: {reason}")
    typer.echo(
        f"read {report.records} records of {report.files} new or changed files; {report.batches} batches published"
    )
    typer.echo(
        f"all imports, {report.first} to {report.last}: {report.received} records = {report.rows} rows + "
        f"{report.duplicates} copies + {report.quarantined} in quarantine"
    )
