"""``firehose verify``: runs :mod:`firehose.lake.verify`, prints what it found, exits with 1 on any mismatch."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Optional

import typer

from firehose_cli.exit_codes import ExitCode

if TYPE_CHECKING:
    from firehose.lake.report import VerifyReport
    from firehose.store import LakePath


def verify(
    home: Annotated[
        Optional[Path],  # noqa: UP045 - typer reads it at run time
        typer.Option(help="Folder of a `firehose once`; default: the lake of the settings."),
    ] = None,
    quick: Annotated[
        bool,
        typer.Option("--quick", help="Only hour files against their records, as the daily check does."),
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Check the whole lake: every record against its CID, every file against its record, every count.

    The verdict is one of three: sound; the source's own records differ (they came with a CID that is not
    theirs, so the lake is not damaged); damaged, with exit status 1.
    """
    import msgspec

    from firehose.lake.verify import verify as run
    from firehose.settings import load
    from firehose_cli.lake import existing_lake

    lake = existing_lake(home)
    if quick:
        raise typer.Exit(_quick(lake, load().lake_check_days, as_json=as_json))
    report = run(lake)
    if as_json:
        typer.echo(msgspec.json.encode(report))
    else:
        _print(report)
    raise typer.Exit(ExitCode.of(ok=report.ok))


def _quick(lake: LakePath, days: int, *, as_json: bool) -> ExitCode:
    import msgspec

    from firehose.errors import FirehoseError
    from firehose.lake.check import check

    try:
        report = check(lake, days)
    except OSError as error:
        raise FirehoseError(
            f"{error.filename}: {error.strerror}; the check needs to write into the lake"
        ) from error
    differences = [str(difference) for difference in report.differences]
    if as_json:
        typer.echo(msgspec.json.encode({**msgspec.structs.asdict(report), "differences": differences}))
    else:
        typer.echo(f"{report.files} hour files, {report.read} of them read in full ({report.read_bytes} bytes)")
        for said in differences:
            typer.echo(said, err=True)
        hint = f"{len(differences)} differ; to make an hour again from the raw batches: firehose rebuild HOUR"
        typer.echo(hint if differences else "all is well")
    return ExitCode.of(ok=not differences)


def _print(report: VerifyReport) -> None:
    from rich.table import Table

    from firehose_cli.console import stdout

    columns = ("rows", "verified", "without_record", "mismatched", "source_differs", "unverifiable", "duplicates")
    table = Table("type", *(column.replace("_", " ") for column in columns))
    for name, counts in report.types.items():
        table.add_row(name, *(str(getattr(counts, column)) for column in columns))
    console = stdout()
    console.print(table)
    if report.hour_files_expired:
        console.print(f"{report.hour_files_expired} hour files have expired, and are not shown above")
    console.print(
        f"{report.batches} raw batches of {report.raw_events} events{_expired(report.batches_expired)}; "
        f"{report.quarantined} events in quarantine{_expired(report.quarantined_expired)}"
    )
    for problem in report.problems + report.source_differs + report.unverifiable:
        typer.echo(problem, err=True)
    if report.problem_count > len(report.problems):
        typer.echo(f"and {report.problem_count - len(report.problems)} more problems", err=True)
    console.print(report.verdict if report.ok else f"{report.verdict}: {report.problem_count} problems")


def _expired(count: int) -> str:
    return f" ({count} more have expired)" if count else ""
