"""`firehose legacy`: the data of an earlier system, from import to cleanup. A module a command or two."""

import typer

from firehose_cli.legacy import stage
from firehose_cli.legacy.cleanup import cleanup, restore
from firehose_cli.legacy.compare import compare
from firehose_cli.legacy.importing import import_
from firehose_cli.legacy.rehearse import rehearse

app = typer.Typer(
    no_args_is_help=True,
    help="What an earlier system kept: bring it over, compare it, remove it once that is safe.",
)
app.command("import")(import_)
app.add_typer(stage.app, name="stage")
for command in (compare, cleanup, restore, rehearse):
    app.command()(command)
