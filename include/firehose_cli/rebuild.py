"""``firehose rebuild``: parses options, runs :mod:`firehose.lake.rebuild`, prints a line for each hour file."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Optional

import typer

if TYPE_CHECKING:
    from firehose.lake.rebuild import RebuiltHour


def rebuild(
    hour: Annotated[list[str], typer.Argument(help="Hours in UTC such as 2026-11-23T20.")],
    record_type: Annotated[
        Optional[list[str]],  # noqa: UP045 - typer reads it at run time
        typer.Option(
            "--type", help="Record type; repeatable. Default: types whose files differ from their records."
        ),
    ] = None,
    reason: Annotated[str, typer.Option(help="Why, for the ledger.")] = "the file was not what its record said",
    partial: Annotated[
        bool, typer.Option("--partial", help="Rebuild from the raw batches that are left, even if rows are lost.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print a JSON object for each file.")] = False,
) -> None:
    """Make hour files again from the raw batches; the old ones are kept in the lake's _aside/."""
    import msgspec

    from firehose.lake.rebuild import differing, in_order
    from firehose.lake.rebuild import rebuild as run
    from firehose_cli.lake import existing_lake, hours_of, types_of

    lake, hours = existing_lake(), hours_of(hour)
    wanted = dict.fromkeys(in_order(types_of(record_type)), hours) if record_type else differing(lake, hours)
    for kind, of_kind in wanted.items():
        for done in run(lake, kind, of_kind, reason=reason, partial=partial):
            fields = {**msgspec.structs.asdict(done), "file": str(done.file)}
            typer.echo(msgspec.json.encode(fields) if as_json else _line(done))
    if wanted:
        typer.echo("The next batch updates the summaries; to update them now: firehose summaries", err=True)
    else:
        typer.echo("every file matches its record; to rebuild one anyway, name its --type", err=True)


def _line(done: RebuiltHour) -> str:
    before = "no record of what it held" if done.before < 0 else f"its record said {done.before}"
    aside = f"; what was there is {done.aside}" if done.aside else ""
    return f"{done.file}: {done.rows} rows from {done.batches} batches ({before}){aside}"
