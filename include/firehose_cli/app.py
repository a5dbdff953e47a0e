"""The ``firehose`` command: its subcommands, grouped for the help.

Must not: options of a subcommand, or what it does.
"""

from __future__ import annotations

from collections.abc import Callable
from importlib.metadata import PackageNotFoundError, version
from typing import Annotated, Final

import typer

from firehose.errors import FirehoseError
from firehose_cli import alerts, batches, bench, cohort, logs, metrics, progress, quarantine, service
from firehose_cli.adopt import adopt
from firehose_cli.backfill import backfill, heal
from firehose_cli.backup import backup
from firehose_cli.clean_airflow import clean_airflow
from firehose_cli.clickhouse import clickhouse_serve
from firehose_cli.completion import completion, prepare
from firehose_cli.coverage import coverage
from firehose_cli.crosscheck import crosscheck
from firehose_cli.deadman import deadman
from firehose_cli.demo import demo
from firehose_cli.doctor.command import doctor
from firehose_cli.ending import one_line
from firehose_cli.explain import explain
from firehose_cli.legacy import app as legacy
from firehose_cli.maintenance import maintenance
from firehose_cli.mcp import mcp
from firehose_cli.migrate import migrate
from firehose_cli.once import once
from firehose_cli.query import query
from firehose_cli.rebuild import rebuild
from firehose_cli.redis_access import redis_access
from firehose_cli.rerun import rerun
from firehose_cli.restore import restore
from firehose_cli.search import search
from firehose_cli.settings import settings
from firehose_cli.simulate import simulate
from firehose_cli.simulate_old import simulate_old
from firehose_cli.status import status
from firehose_cli.summaries import summaries
from firehose_cli.tap import tap
from firehose_cli.top import top
from firehose_cli.ui import ui
from firehose_cli.upgrade_lake import upgrade_lake
from firehose_cli.verify import verify

app = typer.Typer(
    help=(
        "Keep every event of the Bluesky firehose, from Jetstream to ClickHouse.\n\n"
        "New here? `firehose demo` runs all of it on this machine and says where to look."
    ),
    epilog="Settings are environment variables or lines of an env file; `firehose settings` explains each.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode="markdown",
)
#: The commands by what someone wants to do, in the order in which the help shows them.
_PANELS: Final[dict[str, dict[str, Callable[..., None]]]] = {
    "Try it": {"demo": demo, "once": once, "simulate": simulate, "simulate-old": simulate_old},
    "Ask questions": {"ui": ui, "query": query, "search": search, "coverage": coverage, "mcp": mcp},
    "Watch": {"status": status, "top": top, "tap": tap},
    "Operate": {
        "doctor": doctor,
        "explain": explain,
        "completion": completion,
        "clickhouse": clickhouse_serve,
        "migrate": migrate,
        "summaries": summaries,
        "maintenance": maintenance,
        "clean-airflow": clean_airflow,
        "redis-access": redis_access,
        "settings": settings,
        "upgrade-lake": upgrade_lake,
        "backup": backup,
        "restore": restore,
        "deadman": deadman,
    },
    "Check and repair": {
        "verify": verify,
        "rebuild": rebuild,
        "adopt": adopt,
        "backfill": backfill,
        "crosscheck": crosscheck,
    },
}


def _say_version(asked: bool) -> None:
    if not asked:
        return
    try:
        typer.echo(f"firehose {version('bluesky-firehose')}")
    except PackageNotFoundError as error:  # as in the containers, into which the files are copied
        raise FirehoseError(
            "the package bluesky-firehose is not installed here, so its version is not known: run `git describe "
            "--always` in the checkout that the files come from"
        ) from error
    raise typer.Exit


@app.callback()
def _options(
    asked: Annotated[
        bool, typer.Option("--version", callback=_say_version, is_eager=True, help="Print the version and exit.")
    ] = False,
) -> None:
    """Options that come before a command."""


for panel, commands in _PANELS.items():
    for name, command in commands.items():
        app.command(name, rich_help_panel=panel)(command)
app.command(hidden=True)(heal)  # the former name
batches.app.command()(rerun)
app.add_typer(batches.app, name="batches", rich_help_panel="Watch")
app.add_typer(cohort.app, name="cohort", rich_help_panel="Ask questions")
app.add_typer(quarantine.app, name="quarantine", rich_help_panel="Check and repair")
app.add_typer(alerts.app, name="alerts", rich_help_panel="Operate")
app.add_typer(legacy, name="legacy", rich_help_panel="Operate")
app.add_typer(metrics.app, name="metrics", rich_help_panel="Operate")
app.add_typer(service.app, name="service", rich_help_panel="Operate")
app.add_typer(legacy, name="legacy", rich_help_panel="Operate")
app.add_typer(bench.app, name="bench", rich_help_panel="Develop")


def main() -> None:
    """Entry point of the console script."""
    logs.warnings_only()
    prepare()
    with one_line(), progress.on_terminal():
        app()
