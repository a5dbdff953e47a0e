"""The commands of ``firehose legacy``. Must not: do what they do."""

from __future__ import annotations

import typer

from firehose_cli.legacy.cleanup import cleanup, restore
from firehose_cli.legacy.compare import compare

app = typer.Typer(help="The old system's data: compare it with the lake, and remove it once that is safe.")
for command in (compare, cleanup, restore):
    app.command()(command)
