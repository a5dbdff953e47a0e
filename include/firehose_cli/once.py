"""``firehose once``: parses options, runs :mod:`devstack.once`, prints the accounting."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def once(
    replay: Annotated[
        list[Path], typer.Option(help="File of recorded events, one JSON object a line; repeatable.")
    ],
    home: Annotated[Path, typer.Option(help="Folder for everything that the run keeps.")] = Path("firehose-once"),
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Take recorded events through the whole pipeline in one run, without Airflow."""
    import msgspec
    from rich.table import Table

    from devstack.once import once as run
    from firehose_cli.console import stdout

    report = run(replay, home)
    if as_json:
        typer.echo(msgspec.json.encode(report))
        return
    table = Table("type", "received", "good", "quarantined", "duplicate", "stored", title=f"batch {report.batch}")
    for name, counts in report.types.items():
        numbers = (counts.received, counts.good, counts.quarantined, counts.duplicate, counts.stored)
        table.add_row(name, *map(str, numbers))
    stdout().print(table)
    typer.echo(
        f"The lake is {report.home}/lake. To query it: FIREHOSE_HOME={report.home} firehose clickhouse, and then\n"
        f"FIREHOSE_HOME={report.home} firehose query 'SELECT count() FROM firehose.posts'",
        err=True,
    )
