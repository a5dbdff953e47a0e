"""``firehose ui``: the page for readers. Lives here: the command. Must not: how the page works."""

from __future__ import annotations

from typing import Annotated

import typer


def ui(
    listen: Annotated[str, typer.Option(help="HOST:PORT instead of FIREHOSE_UI_LISTEN.")] = "",
    reader: Annotated[
        str,
        typer.Option(
            help="Ask for a password, print this reader's line for the file FIREHOSE_UI_READERS, and end."
        ),
    ] = "",
) -> None:
    """Serve the page for readers until stopped: what is going on, and SQL. It asks as the analyst."""
    from firehose.settings import load
    from firehose_ui.serve import serve
    from firehose_ui.sessions import line
    from ingester.contract import logs

    if reader:
        password = typer.prompt("Password", hide_input=True, confirmation_prompt=True, err=True)
        typer.echo(line(reader, password))
        return
    settings = load(**({"ui_listen": listen} if listen else {}))
    logs.setup(settings.log_level)
    serve(settings)
