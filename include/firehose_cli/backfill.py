"""``firehose backfill``: parses options, runs :mod:`firehose.backfill.run`, prints a line for each gap.

Lives here: its former name ``firehose heal`` too, for one version. Must not: choose or fill gaps.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Optional

import typer

if TYPE_CHECKING:
    from firehose.backfill.one_gap import BackfillPlan, BackfillReport

_Gaps = Annotated[
    Optional[list[str]],  # noqa: UP045 - typer reads it at run time
    typer.Option(help="Fill this gap only; repeatable. Default: every open gap."),
]
_Archive = Annotated[
    str,
    typer.Option(help="v2 host whose archive to use. Default: FIREHOSE_ARCHIVE_URL, then the first v2 host."),
]
_DryRun = Annotated[bool, typer.Option("--dry-run", help="Say what would be downloaded; change nothing.")]
_Margin = Annotated[
    float,
    typer.Option(min=0, help="Seconds to fetch before and after a gap: two hosts' clocks may differ that much."),
]
_Json = Annotated[bool, typer.Option("--json", help="Print a JSON object for each gap, one a line.")]


def backfill(
    gap: _Gaps = None,
    archive: _Archive = "",
    dry_run: _DryRun = False,
    margin: _Margin = 60,
    as_json: _Json = False,
) -> None:
    """Fetch the events of gaps in coverage from a Jetstream v2 archive into Redis."""
    import msgspec

    from firehose.backfill.run import archive_host
    from firehose.backfill.run import backfill as run
    from firehose.batch import tally
    from firehose.batch.buffer import connected
    from firehose.settings import load

    settings = load()
    host = archive_host(settings, archive)
    reports = 0
    margin_us = round(margin * 1e6)
    for report in run(settings, host, gap or (), dry_run=dry_run, margin_us=margin_us, announce=_announce):
        typer.echo(msgspec.json.encode(report) if as_json else _line(report))
        if not dry_run:
            with connected(settings) as client:
                tally.record(client, report)
        reports += 1
    if not reports:
        typer.echo("no gap is open", err=True)


def heal(gap: _Gaps = None, archive: _Archive = "", dry_run: _DryRun = False, margin: _Margin = 60) -> None:
    """Run ``firehose backfill`` under its former name."""
    typer.echo("`firehose heal` is now `firehose backfill`; the next version will not know the old name", err=True)
    backfill(gap, archive, dry_run, margin)


def _announce(plan: BackfillPlan) -> None:
    from firehose.backfill.access import mib

    typer.echo(f"{plan.gap}: at most {mib(plan.most)} to download, of {plan.segments} segments", err=True)


def _line(report: BackfillReport) -> str:
    from firehose.backfill.access import mib
    from firehose.batch.gaps import instant

    begin, end = instant(report.from_us), instant(report.to_us)
    counts = ", ".join(f"{count} {queue}" for queue, count in sorted(report.events.items())) or "no events"
    what = f"{report.gap} ({begin} to {end}{f', {report.queue}' if report.queue else ''})"
    done = f"{counts} from {report.segments} segments"
    if report.downloaded:
        done += f" ({mib(report.downloaded)} downloaded)"
    if report.absent:
        done += f", in which {report.absent} numbers have no event (overwritten, deleted or never used)"
    return f"{what}: {done}; " + (f"still open: {report.missing}" if report.missing else "filled")
