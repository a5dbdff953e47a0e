"""``firehose heal``: parses options, runs :mod:`firehose.backfill.heal`, prints a line for each gap."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Optional

import typer

if TYPE_CHECKING:
    from firehose.backfill.one_gap import HealPlan, HealReport


def heal(
    gap: Annotated[
        Optional[list[str]],  # noqa: UP045 - typer reads it at run time
        typer.Option(help="Heal this gap only; repeatable. Default: every open gap."),
    ] = None,
    archive: Annotated[
        str,
        typer.Option(help="v2 host whose archive to use. Default: FIREHOSE_ARCHIVE_URL, then the first v2 host."),
    ] = "",
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Say what would be downloaded; change nothing.")
    ] = False,
    margin: Annotated[
        float,
        typer.Option(min=0, help="Seconds around a gap to take along: by so much two hosts' clocks may differ."),
    ] = 60,
) -> None:
    """Fetch the events of gaps in coverage from a Jetstream v2 archive into Redis."""
    from firehose.backfill.heal import archive_host
    from firehose.backfill.heal import heal as run
    from firehose.settings import load

    settings = load()
    host = archive_host(settings, archive)
    reports = 0
    margin_us = round(margin * 1e6)
    for report in run(settings, host, gap or (), dry_run=dry_run, margin_us=margin_us, announce=_announce):
        typer.echo(_line(report))
        reports += 1
    if not reports:
        typer.echo("no gap is open", err=True)


def _announce(plan: HealPlan) -> None:
    from firehose.backfill.access import mib

    typer.echo(f"{plan.gap}: at most {mib(plan.most)} to download, of {plan.segments} segments", err=True)


def _line(report: HealReport) -> str:
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
    return f"{what}: {done}; " + (f"still open: {report.missing}" if report.missing else "healed")
