"""``firehose legacy stage show|set|back``: run :mod:`firehose.legacy.stage`, print the stage and its checks."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from firehose_cli.exit_codes import ExitCode

if TYPE_CHECKING:
    from firehose.legacy.demands import Check, Stage

app = typer.Typer(no_args_is_help=True, help="Move from the old system to this one, a stage at a time, and back.")


@app.command()
def show(
    stage: Annotated[str, typer.Argument(help="Run the checks of this stage.", show_default=False)] = "",
) -> None:
    """Print the stage on record, and how it was come to; with a stage, its checks as they are now."""
    from firehose.legacy import stage as stages
    from firehose.legacy.demands import checks
    from firehose.settings import load
    from firehose_cli.lake import existing_lake

    lake = existing_lake()
    if stage:
        wanted = _stage(stage)
        now = stages.current(lake)
        found = checks(load(), wanted, back=stages.ORDER.index(wanted) < stages.ORDER.index(now))
        _print(found)
        raise typer.Exit(ExitCode.of(ok=not any(check.fault for check in found)))
    for change in stages.changes(lake):
        typer.echo(f"{change.at:%Y-%m-%d %H:%M:%S}Z\t{change.stage}\t{change.by}", err=True)
    typer.echo(stages.current(lake))


@app.command("set")
def set_(stage: Annotated[str, typer.Argument(help="The next stage: parallel, both, new or removed.")]) -> None:
    """Put the next stage on record, if all that it demands is so: settings, views, import, comparison, gaps."""
    from firehose.legacy.stage import move
    from firehose.settings import load
    from firehose_cli.lake import existing_lake

    existing_lake()
    wanted = _stage(stage)
    _print(move(load(), wanted, _by()))
    typer.echo(f"the stage is {wanted}")


@app.command()
def back() -> None:
    """Go one stage back: set FIREHOSE_READERS and run `firehose migrate` first. Nothing stored is changed."""
    from firehose.legacy.stage import before, current, move
    from firehose.settings import load
    from firehose_cli.lake import existing_lake

    wanted = before(current(existing_lake()))
    _print(move(load(), wanted, _by()))
    typer.echo(f"the stage is {wanted}")


def _stage(text: str) -> Stage:
    from firehose.errors import FirehoseError
    from firehose.legacy.demands import Stage

    try:
        return Stage(text)
    except ValueError:
        raise FirehoseError(f"{text!r} is not a stage: write one of {', '.join(Stage)}") from None


def _print(found: list[Check]) -> None:
    for check in found:
        typer.echo(f"{check.name}: {check.fault or 'passed'}")


def _by() -> str:
    import getpass
    import socket

    return f"firehose legacy ({getpass.getuser()}@{socket.gethostname()})"
