"""``firehose cohort add|list|show|remove|export``: options, and what is printed. The work is in
firehose.cohorts and firehose.dataset.cohort_export."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path
from typing import Annotated

import typer

app = typer.Typer(no_args_is_help=True, help="Keep named lists of accounts, which analysts join with any view.")

_Name = Annotated[str, typer.Argument(help="Name of the cohort.", show_default=False)]
_At = Annotated[
    str, typer.Option(help="The moment at which handles of the list were the accounts'; default: now. RFC 3339.")
]


@app.command()
def add(
    name: _Name,
    file: Annotated[
        Path,
        typer.Argument(help="A DID or handle a line, or a CSV with them in its first column.", show_default=False),
    ],
    at: _At = "",
) -> None:
    """Store a list of accounts under a name, in place of an earlier list of that name."""
    from datetime import UTC, datetime

    from firehose import cohorts
    from firehose.errors import FirehoseError
    from firehose.settings import load
    from firehose.warehouse.client import connect
    from firehose_cli.lake import existing_lake
    from ingester.contract import checks

    if at and (wrong := checks.instant(at)):
        raise FirehoseError(f"--at {at}: {wrong}")
    moment = datetime.fromisoformat(at).astimezone(UTC) if at else datetime.now(UTC)
    lake, listed = existing_lake(), cohorts.read_list(file)
    if all(each.startswith("did:") for each in listed):
        found = cohorts.members(None, listed, moment)
    else:
        with closing(connect(load(), "analyst")) as client:
            found = cohorts.members(client, listed, moment)
    cohorts.write(lake, name, found)
    typer.echo(f"cohort {name}: {len(found)} accounts")


@app.command("list")
def list_() -> None:
    """Name the cohorts and how many accounts each has."""
    from firehose import cohorts
    from firehose_cli.lake import existing_lake

    lake = existing_lake()
    for name in cohorts.names(lake):
        typer.echo(f"{name}\t{len(cohorts.read(lake, name))}")


@app.command()
def show(name: _Name) -> None:
    """Print the accounts of a cohort: DID, what the list said, and when a handle was looked up."""
    from firehose import cohorts
    from firehose_cli.console import harmless
    from firehose_cli.lake import existing_lake

    for member in cohorts.read(existing_lake(), name):
        at = f"{member.at:%Y-%m-%dT%H:%M:%SZ}" if member.at else ""
        typer.echo(f"{harmless(member.did)}\t{harmless(member.named)}\t{at}")


@app.command()
def remove(name: _Name) -> None:
    """Forget a cohort. Nothing of what its accounts did is removed."""
    from firehose import cohorts
    from firehose_cli.lake import existing_lake

    typer.echo(f"cohort {name} removed: it had {cohorts.remove(existing_lake(), name)} accounts")


@app.command()
def export(
    name: _Name,
    folder: Annotated[
        Path,
        typer.Argument(help="Where the files go, in place of those of an earlier export.", show_default=False),
    ],
    what: Annotated[
        str,
        typer.Option(help="Kinds of activity, separated by commas, as post,reply,like_received; default: all."),
    ] = "",
    output_format: Annotated[
        str, typer.Option("--format", help="parquet, csv, or edges: who, whom, how, when.")
    ] = ("parquet"),
    begin: Annotated[str, typer.Option("--from", help="First day (UTC) or moment.")] = "",
    end: Annotated[str, typer.Option("--to", help="The day or moment after the last one.")] = "",
) -> None:
    """Write what a cohort's accounts did, as `cohort_activity` gives it, and completeness.json beside it.

    A line on standard error says so if events are missing in the span.
    """
    from contextlib import closing

    from firehose import cohorts
    from firehose.dataset.asked import of_type
    from firehose.dataset.cohort_export import Form, checked_what
    from firehose.dataset.cohort_export import export as run
    from firehose.errors import FirehoseError
    from firehose.settings import load
    from firehose.warehouse.client import connect
    from firehose_cli.lake import existing_lake

    kinds = checked_what(what)
    if output_format not in [*Form]:
        raise FirehoseError(f"--format {output_format}: write one of {', '.join(Form)}")
    span = of_type("events").narrowed({"since": begin or None, "until": end or None})
    cohorts.read(existing_lake(), name)
    with closing(connect(load(), "analyst")) as client:
        made, known = run(client, name, kinds, Form(output_format), folder, span)
    typer.echo(f"{folder / made.file}: {made.rows} rows")
    if known.missing:
        typer.echo(f"warning: {known.missing}; completeness.json has the hours and gaps", err=True)
