"""Wires the commands together and turns the project's errors into one line and an exit code."""

from __future__ import annotations

import sys

import typer

from firehose.errors import FirehoseError
from firehose.settings import SettingsError

app = typer.Typer(
    help="The Bluesky firehose, every event kept: from Jetstream to ClickHouse.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)


def main() -> None:
    """Entry point of the console script."""
    try:
        app()
    except (FirehoseError, SettingsError) as error:
        print(f"firehose: {error}", file=sys.stderr)  # noqa: T201 - the one line that a user reads
        sys.exit(1)
