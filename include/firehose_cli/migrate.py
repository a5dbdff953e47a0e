"""``firehose migrate``: brings ClickHouse to the current schema. The work is in firehose.warehouse."""

from __future__ import annotations

from typing import Annotated

import typer


def migrate(
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only print what would be applied")] = False,
) -> None:
    """Create or update ClickHouse's tables, and the views over the lake."""
    from firehose import settings
    from firehose.warehouse.client import connect
    from firehose.warehouse.migrate import migrate as apply

    loaded = settings.load()
    client = connect(loaded)
    try:
        done = apply(client, loaded, dry_run=dry_run)
    finally:
        client.close()
    verb = "would apply" if dry_run else "applied"
    for kind, names in (("migration", done.migrations), ("view", done.views)):
        for name in names:
            typer.echo(f"{verb} {kind} {name}", err=True)
    if not any(done):
        typer.echo("the schema is current", err=True)
