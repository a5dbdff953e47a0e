"""``firehose legacy``: the old system's data. Registered here alone: one module a subcommand."""

import typer

from firehose_cli.legacy.cleanup import cleanup, restore
from firehose_cli.legacy.compare import compare

app = typer.Typer(
    no_args_is_help=True, help="The old system's data: compare it with the lake, remove it once that is safe."
)
for command in (compare, cleanup, restore):
    app.command()(command)
