"""``firehose service``: the pipeline as services of systemd. Parses options, prints plans and states. Thin."""

from __future__ import annotations

import os
import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Optional

import typer

from firehose_cli.exit_codes import ExitCode

if TYPE_CHECKING:
    from devstack.service.install import Plan
    from devstack.service.status import UnitState
    from devstack.service.systemd import Host

app = typer.Typer(no_args_is_help=True)

DryRun = Annotated[bool, typer.Option("--dry-run", help="Say what would be done, and change nothing.")]
Show = Annotated[bool, typer.Option("--show", help="With --dry-run: print the text of each file as well.")]
Root = Annotated[
    Optional[Path],  # noqa: UP045 - typer reads it at run time
    typer.Option(help="The root folder of an image to change, instead of this machine; nothing is started."),
]


@app.callback()
def _services() -> None:
    """Install the pipeline as services of systemd, see how they are, go back, take them away."""


@app.command()
def install(
    parts: Annotated[
        Optional[str],  # noqa: UP045 - typer reads it at run time
        typer.Option(
            "--with",
            metavar="PARTS",
            help="Also install redis, clickhouse, airflow, metrics, ui; with commas. Default: what is installed.",
        ),
    ] = None,
    now: Annotated[bool, typer.Option("--now", help="Start the services; restart them after an upgrade.")] = False,
    root: Root = None,
    dry_run: DryRun = False,
    show: Show = False,
) -> None:
    """Write the units of this version, with what they need, and enable them. Repeating it changes nothing.

    An ingester always; --with adds a Redis, the embedded ClickHouse, Airflow with a check from outside of it, and
    the exporter for Prometheus.
    Settings and passwords in /etc/bluesky-firehose are made where they are missing, and kept.
    """
    from devstack.service.install import plan_install

    host = _host(root, dry_run=dry_run)
    _execute(plan_install(host, _chosen(parts), now=now), dry_run=dry_run, show=show)


@app.command()
def rollback(root: Root = None, dry_run: DryRun = False, show: Show = False) -> None:
    """Return to the units before the last upgrade, with their interpreter, and restart. Twice returns again."""
    from devstack.service.install import plan_rollback

    host = _host(root, dry_run=dry_run)
    _execute(plan_rollback(host), dry_run=dry_run, show=show)


@app.command()
def uninstall(root: Root = None, dry_run: DryRun = False) -> None:
    """Stop the services and remove their units. Settings, passwords, user and data stay."""
    from devstack.service.install import LEFT, plan_uninstall

    host = _host(root, dry_run=dry_run)
    _execute(plan_uninstall(host), dry_run=dry_run, show=False)
    typer.echo(f"left as they are: {', '.join(LEFT)}, and the user bluesky-firehose", err=True)


@app.command()
def status(as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False) -> None:
    """Show each unit: state, since when, restarts, last exit, memory. Exit status 1 unless all are healthy."""
    import msgspec

    from devstack.service.status import unit_states

    states = unit_states()
    healthy = not any(state.problem for state in states)
    if as_json:
        typer.echo(msgspec.json.encode({"healthy": healthy, "units": states}))
    else:
        _print(states)
    raise typer.Exit(ExitCode.of(ok=healthy))


@app.command("exec", context_settings={"allow_extra_args": True, "ignore_unknown_options": True})
def execute_inside(context: typer.Context) -> None:
    """Run a firehose command as the services' user with their settings: firehose service exec verify --quick."""
    from devstack.service.inside import run_inside

    _only_root()
    raise typer.Exit(run_inside(context.args))


def _only_root() -> None:
    from firehose.errors import FirehoseError

    if os.geteuid():
        raise FirehoseError("only root may do that: repeat it with sudo")


def _execute(plan: Plan, *, dry_run: bool, show: bool) -> None:
    from devstack.service.install import execute

    for line in _lines(plan, show=show):
        typer.echo(line)
    if dry_run:
        typer.echo("nothing was changed", err=True)
    else:
        execute(plan)


def _lines(plan: Plan, *, show: bool) -> list[str]:
    """The plan as a user reads it, in the order in which it is done."""
    files = plan.new.current.files if plan.new.current else {}
    found = [f"run     {shlex.join(command)}" for command in plan.stop]
    found += [f"make    /{path} (mode 0600)" for path in (*plan.secrets, *plan.redis_files)]
    for name, text in files.items():
        found.append(f"{'write' if name in plan.write else 'keep '}   {name}")
        if name in plan.changed_by_hand:
            found.append(
                "        it was changed by hand, which is lost: `systemctl edit` makes a drop-in that stays"
            )
        if show:
            found += [f"        | {line}" for line in text.splitlines()]
    found += [f"remove  {name}" for name in plan.remove]
    return found + [f"run     {shlex.join(command)}" for command in plan.commands]


def _chosen(parts: str | None) -> tuple[str, ...] | None:
    from devstack.service.units import PARTS
    from firehose.errors import FirehoseError

    if parts is None:
        return None
    named = {part.strip() for part in parts.split(",") if part.strip()}
    if unknown := sorted(named - set(PARTS)):
        raise FirehoseError(f"--with: there is no part {unknown[0]!r}; choose of {', '.join(PARTS)}")
    return tuple(part for part in PARTS if part in named)


def _host(root: Path | None, *, dry_run: bool) -> Host:
    """The machine, or the image at ``root``; refused at once where nothing could be done there."""
    from devstack.service import systemd

    host = systemd.Host() if root is None else systemd.Host(root.absolute(), runs=False)
    if not dry_run:
        _only_root()
        systemd.require(host)
    return host


def _print(states: list[UnitState]) -> None:
    from rich.table import Table

    from firehose_cli.console import harmless, stdout

    table = Table("unit", "state", "since", "restarts", "last exit", "memory", "", box=None)
    for state in states:
        memory = "" if state.memory is None else f"{state.memory / 2**20:,.0f} MiB"
        said = state.problem or harmless(state.says)
        table.add_row(state.unit, state.state, state.since, str(state.restarts), state.last_exit, memory, said)
    stdout().print(table)
