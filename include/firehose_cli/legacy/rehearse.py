"""``firehose legacy rehearse``: runs :mod:`devstack.rehearsal`, prints a line for each step."""

from __future__ import annotations

import signal
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from devstack.rehearsal.run import StepDone


def rehearse(
    days: Annotated[int, typer.Option(min=2, help="Days of the old store.")] = 30,
    records: Annotated[int, typer.Option(min=100, help="Events of all days together.")] = 6000,
    only_old: Annotated[
        int,
        typer.Option(min=0, help="Plant posts that only the old system has: it has to stop at the comparison."),
    ] = 0,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Go through the move and back with a made old store, beside a simulator, in a temporary folder.

    Each step says what it checked; the first that fails ends it with exit status 1. It starts Redis and ClickHouse
    of its own, and neither reads nor changes your settings, lake or old system.
    """
    import msgspec

    from devstack.rehearsal.run import rehearse as run
    from firehose.errors import FirehoseError

    # SIGTERM ends it as Ctrl-C does: what it has started is stopped, and its folder removed.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    report = run(days, records, only_old=only_old, tell=(lambda _: None) if as_json else _say)
    if as_json:
        typer.echo(msgspec.json.encode(report))
    if report.failed:
        raise FirehoseError(f"the rehearsal stopped at {report.failed}")
    if not as_json:
        typer.echo(f"all {len(report.steps)} steps passed in {report.seconds:.0f} s; nothing of it is left")


def _say(done: StepDone) -> None:
    typer.echo(f"{done.step}: {done.failed or done.checked} ({done.seconds} s)")
