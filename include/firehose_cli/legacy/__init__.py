"""``firehose legacy``: the old system's data. Registered here alone: one module a subcommand."""

import typer

from firehose_cli.legacy.importing import import_

app = typer.Typer(no_args_is_help=True, help="Bring over what an earlier system kept.")
app.command("import")(import_)
