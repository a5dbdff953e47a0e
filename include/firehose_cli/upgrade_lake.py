"""``firehose upgrade-lake``: parses options, runs :mod:`firehose.lake.upgrade`, prints a line for each folder."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Optional

import typer


def upgrade_lake(
    home: Annotated[
        Optional[Path],  # noqa: UP045 - typer reads it at run time
        typer.Option(help="Folder of a `firehose once`; default: the lake of the settings."),
    ] = None,
) -> None:
    """Rename the folders of an earlier version's lake to their current names; safe to repeat."""
    from contextlib import nullcontext

    from devstack.embedded.ownership import RUN, own_home
    from firehose.lake.upgrade import upgrade
    from firehose.settings import load
    from firehose_cli.lake import any_lake

    lake = any_lake(home)
    used = home or load().home_path
    # Where the services run elsewhere there is no home here, and this command is not to make one.
    with own_home(used, "firehose upgrade-lake") if (used / RUN).is_dir() else nullcontext():
        renamed = upgrade(lake)
    for earlier, now in renamed.items():
        typer.echo(f"{earlier}/ is now {now}/")
    if renamed:
        typer.echo("The next batch updates ClickHouse's views; to update them now: firehose migrate", err=True)
    else:
        typer.echo("the folders already have their current names", err=True)
