"""``firehose migrate``: brings ClickHouse to the current schema. The work is in firehose.warehouse."""

from __future__ import annotations

from contextlib import closing
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from firehose.warehouse.migration_list import Listed


def migrate(
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Change nothing: print the SQL that would be sent")
    ] = False,
    show: Annotated[
        bool, typer.Option("--list", help="Change nothing: list the migrations, and when each was applied")
    ] = False,
    as_json: Annotated[
        bool, typer.Option("--json", help="With --list: a JSON object for each migration, one a line.")
    ] = False,
) -> None:
    """Create or update ClickHouse's tables, and the views over the lake."""
    from firehose import settings
    from firehose.warehouse import migration_list
    from firehose.warehouse.client import connect
    from firehose.warehouse.migrate import migrate as apply
    from firehose.warehouse.migrate import sql

    loaded = settings.load()
    with closing(connect(loaded)) as client:
        if show:
            _print(migration_list.listed(client), as_json=as_json)
            return
        for statement in sql(client, loaded) if dry_run else ():
            typer.echo(f"{statement};\n")
        done = apply(client, loaded, dry_run=dry_run)
    verb = "would apply" if dry_run else "applied"
    for kind, names in (("migration", done.migrations), ("view", done.views)):
        for name in names:
            typer.echo(f"{verb} {kind} {name}", err=True)
    if not any(done):
        typer.echo("the schema is current", err=True)


def _print(migrations: list[Listed], *, as_json: bool) -> None:
    import msgspec
    from rich.table import Table

    from firehose_cli.console import stdout

    if as_json:
        for each in migrations:
            typer.echo(msgspec.json.encode(each._asdict()))
        return
    table = Table("number", "name", "applied (UTC)", "file", box=None)
    for each in migrations:
        applied = f"{each.applied_at:%Y-%m-%d %H:%M:%S}" if each.applied_at else ""
        table.add_row(str(each.number), each.name, applied, each.file)
    stdout().print(table)
