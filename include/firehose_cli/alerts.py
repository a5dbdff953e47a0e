"""``firehose alerts``: lists what is firing, tests the sinks, silences. Thin."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from firehose.alerts.state import AlertState, Book

app = typer.Typer(
    help="What is wrong now and since when; test where alerts go; silence one for a while.",
    invoke_without_command=True,
    no_args_is_help=False,
)
_UNITS = {"m": "minutes", "h": "hours", "d": "days"}


@app.callback()
def alerts(
    context: typer.Context,
    as_json: Annotated[bool, typer.Option("--json", help="Print a JSON object for each, one a line.")] = False,
) -> None:
    """List the alerts that are there: what, how bad, since when, and of which other one it is a consequence.

    Exit status 1 if one is firing.
    """
    if context.invoked_subcommand:
        return
    import msgspec

    from firehose.alerts import book
    from firehose.alerts.state import Phase
    from firehose.settings import load

    known = book.read(load())
    there = [state for state in known.states.values() if state.phase is not Phase.CLEARED]
    if as_json:
        for state in there:
            typer.echo(msgspec.json.encode(state))
    else:
        _print(there, known)
    raise typer.Exit(1 if any(state.told for state in there) else 0)


@app.command()
def test() -> None:
    """Send a test to every sink that is set, and say which worked. Exit status 1 if one did not, or none is."""
    from firehose.alerts.delivery import Alerting
    from firehose.alerts.smtp import mailer
    from firehose.settings import load

    settings = load()
    done = Alerting(settings, mailer(settings)).test()
    for sink, wrong in done.items():
        typer.echo(f"{sink}: {wrong or 'sent'}", err=bool(wrong))
    if not done:
        names = ("EMAIL", "WEBHOOK_URL", "SLACK_URL")
        typer.echo(f"no sink is set: {', '.join(f'FIREHOSE_ALERT_{name}' for name in names)}", err=True)
    raise typer.Exit(1 if not done or any(done.values()) else 0)


@app.command()
def silence(
    name: Annotated[str, typer.Argument(help="Name of an alert, or its key, as the list shows it.")],
    lasts: Annotated[str, typer.Option("--for", help="For how long: 30m, 2h, 3d; 0m ends a silence.")] = "2h",
    why: Annotated[str, typer.Option(help="The reason, for whoever wonders.")] = "",
) -> None:
    """Tell nothing of an alert for a while. It stays in the list, and is told afterwards if it is still there."""
    import getpass
    import socket

    from firehose.alerts.catalogue import BY_NAME
    from firehose.alerts.delivery import Alerting
    from firehose.alerts.smtp import mailer
    from firehose.errors import FirehoseError
    from firehose.settings import load

    if name.partition("/")[0] not in BY_NAME:
        raise FirehoseError(f"{name!r} is not an alert; there are {', '.join(BY_NAME)}")
    settings = load()
    who = f"{getpass.getuser()}@{socket.gethostname()}"
    made = Alerting(settings, mailer(settings)).silence(name, _span(lasts), why, who)
    typer.echo(f"{name}: silent until {made.until:%Y-%m-%d %H:%M} UTC")


def _span(text: str) -> timedelta:
    from firehose.errors import FirehoseError

    found = re.fullmatch(r"(\d{1,4})([mhd])", text)
    if not found:
        raise FirehoseError(f"--for {text}: write it like 30m, 2h or 3d")
    return timedelta(**{_UNITS[found[2]]: int(found[1])})


def _print(there: list[AlertState], known: Book) -> None:
    from rich.table import Table

    from firehose.alerts.delivery import utc_now
    from firehose.alerts.wording import length
    from firehose_cli.console import stdout

    now = utc_now()
    table = Table("alert", "state", "severity", "since", "what", box=None)
    for state in there:
        quiet = known.silence(state, now)
        phase = f"consequence of {state.explained}" if state.explained else str(state.phase)
        if quiet:
            phase = f"silent until {quiet.until:%H:%M}: {quiet.why or quiet.by}"
        since = f"{state.since:%Y-%m-%d %H:%M} ({length(now - state.since)})"
        table.add_row(state.key, phase, state.alert.severity, since, state.title)
    if there:
        stdout().print(table)
    ran = f"the monitor last ran {length(now - known.ran)} ago" if known.ran else "the monitor has not run yet"
    typer.echo(f"alerts: {sum(state.told for state in there)} firing, {len(there)} in all; {ran}", err=True)
