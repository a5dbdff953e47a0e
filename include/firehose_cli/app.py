"""Wires the commands together."""

from __future__ import annotations

from importlib.metadata import PackageNotFoundError, version
from typing import Annotated

import typer

from firehose.errors import FirehoseError
from firehose_cli import bench, logs
from firehose_cli.adopt import adopt
from firehose_cli.backfill import backfill, heal
from firehose_cli.clickhouse import clickhouse_serve
from firehose_cli.coverage import coverage
from firehose_cli.crosscheck import crosscheck
from firehose_cli.demo import demo
from firehose_cli.ending import one_line
from firehose_cli.migrate import migrate
from firehose_cli.once import once
from firehose_cli.query import query
from firehose_cli.rebuild import rebuild
from firehose_cli.redis_access import redis_access
from firehose_cli.settings import settings
from firehose_cli.simulate import simulate
from firehose_cli.summaries import summaries
from firehose_cli.upgrade_lake import upgrade_lake
from firehose_cli.verify import verify

app = typer.Typer(
    help="The Bluesky firehose, every event kept: from Jetstream to ClickHouse.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)


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
    """Options that stand before a command."""


app.command()(demo)
app.command()(once)
app.command()(query)
app.command()(verify)
app.command()(rebuild)
app.command()(adopt)
app.command("upgrade-lake")(upgrade_lake)
app.command()(coverage)
app.command()(backfill)
app.command(hidden=True)(heal)
app.command()(crosscheck)
app.command()(simulate)
app.command("clickhouse")(clickhouse_serve)
app.command()(migrate)
app.command()(summaries)
app.command("redis-access")(redis_access)
app.command()(settings)
app.add_typer(bench.app, name="bench")


def main() -> None:
    """Entry point of the console script."""
    logs.warnings_only()
    with one_line():
        app()
