"""``firehose batches rerun``: prints the batches that Airflow would run again, and has it run them. Thin."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated, Final

import typer

_FORMATS: Final = ["%Y-%m-%d", "%Y-%m-%dT%H:%M", "%Y-%m-%dT%H:%M:%S", "%Y-%m-%dT%H:%M:%SZ", "%Y%m%dT%H%M%SZ"]
_Since = Annotated[
    datetime,
    typer.Option("--from", formats=_FORMATS, help="Start of the first batch, in UTC.", show_default=False),
]
_Until = Annotated[
    datetime, typer.Option("--to", formats=_FORMATS, help="End of the last batch, in UTC.", show_default=False)
]


def rerun(
    since: _Since,
    until: _Until,
    failed: Annotated[
        bool, typer.Option("--failed", help="Batches whose run has failed, and missing ones.")
    ] = False,
    missing: Annotated[bool, typer.Option("--missing", help="Batches that have no run.")] = False,
    every: Annotated[bool, typer.Option("--all", help="Every batch whose run has ended.")] = False,
    do: Annotated[bool, typer.Option("--do", help="Run them; without it they are only listed.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Have Airflow run batches again: the failed, the missing, or all of a span. Safe to repeat.

    It is a backfill of Airflow's, which its page Backfills shows. Airflow runs one of them at a time.
    """
    import json

    from firehose.airflow.reruns import Reruns, Which
    from firehose.settings import load

    chosen = [
        which for which, said in ((Which.FAILED, failed), (Which.MISSING, missing), (Which.ALL, every)) if said
    ]
    if len(chosen) != 1:
        raise typer.BadParameter("say which batches: one of --failed, --missing, --all")
    begin, end = since.replace(tzinfo=UTC), until.replace(tzinfo=UTC)
    if end <= begin:
        raise typer.BadParameter(f"--to ({until:%FT%TZ}) is not after --from ({since:%FT%TZ})")
    settings = load()
    reruns = Reruns(settings)
    batches = reruns.planned(chosen[0], begin, end)
    number = reruns.begin(chosen[0], begin, end) if do and batches else None
    if as_json:
        typer.echo(json.dumps({"batches": batches, "backfill": number}))
        return
    for batch in batches:
        typer.echo(batch)
    if number is not None:
        typer.echo(f"{len(batches)} batches run again, as backfill {number} of {settings.airflow_at}", err=True)
    else:
        typer.echo(f"{len(batches)} batches" + ("; --do runs them" if batches else ": nothing to run"), err=True)
