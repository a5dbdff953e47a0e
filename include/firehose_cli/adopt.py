"""``firehose adopt``: parses options, runs :mod:`firehose.lake.adopt`."""

from __future__ import annotations

from typing import Annotated, Optional

import typer


def adopt(
    hour: Annotated[
        Optional[list[str]],  # noqa: UP045 - typer reads it at run time
        typer.Argument(help="Hours in UTC such as 2026-11-23T20. Default: all, if the lake has no records."),
    ] = None,
    record_type: Annotated[
        Optional[list[str]],  # noqa: UP045 - as above
        typer.Option("--type", help="Record type of those hours; repeatable."),
    ] = None,
) -> None:
    """Accept hour files as they are, in a lake that lost its records or was restored from a backup."""
    from firehose.errors import FirehoseError
    from firehose.lake.adopt import accept, begin
    from firehose_cli.lake import existing_lake, hours_of, types_of

    lake = existing_lake()
    if bool(hour) != bool(record_type):
        raise FirehoseError("name both the hours and their --type, or neither")
    if not hour or not record_type:
        mark = begin(lake, lost=True)
        typer.echo(f"watched since {mark.since:%Y-%m-%dT%H:%M:%SZ}, with {mark.adopted} hour files then")
        return
    for number in hours_of(hour):
        for kind in types_of(record_type):
            typer.echo(f"{kind}: {accept(lake, kind, number)} rows on record")
