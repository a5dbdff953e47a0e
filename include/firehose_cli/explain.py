"""``firehose explain``: prints an entry, or the list of all. Must not: have any words of an entry."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from firehose_cli.explanations.entry import Entry


def _names(incomplete: str) -> list[str]:
    """For the shell's completion."""
    from firehose_cli.explanations.catalogue import entries

    return sorted({entry.name for entry in entries() if entry.name.casefold().startswith(incomplete.casefold())})


def explain(
    name: Annotated[
        str,
        typer.Argument(
            help="An error such as LakeChanged, an alert, an exit code, a code of ClickHouse.",
            autocompletion=_names,
        ),
    ] = "",
    as_json: Annotated[bool, typer.Option("--json", help="Print a JSON object for each, one a line.")] = False,
) -> None:
    """Say what a name in an error, an alert or an exit code means, and what to do; without a name, list them."""
    import msgspec

    from firehose_cli.explanations import catalogue

    entries = catalogue.found(name) if name else catalogue.entries()
    if as_json:
        for entry in entries:
            typer.echo(msgspec.json.encode(entry._asdict()))
    elif name:
        typer.echo("\n\n".join(map(_text, entries)))
    else:
        _list(entries)


def _text(entry: Entry) -> str:
    lines = [f"{entry.name} ({entry.kind})", f"  {entry.means}"]
    if entry.causes:
        lines += ["  Likely causes:", *(f"    - {cause}" for cause in entry.causes)]
    lines.append(f"  To do: {entry.todo}")
    if entry.runbook:
        lines.append(f"  Read: {entry.runbook}")
    return "\n".join(lines)


def _list(entries: list[Entry]) -> None:
    from rich.table import Table

    from firehose_cli.console import stdout

    table = Table("name", "kind", "means", box=None)
    for entry in entries:
        table.add_row(entry.name, str(entry.kind), entry.means[:90])
    stdout().print(table)
