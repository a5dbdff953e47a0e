"""``firehose restore``: parses options, runs :mod:`firehose.backup.restore`, prints what is there now."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Optional

import typer

from firehose_cli.exit_codes import ExitCode

if TYPE_CHECKING:
    from datetime import datetime

    from firehose.backup.restore import RestoreResult
    from firehose.settings import Settings


def restore(
    to: Annotated[
        str,
        typer.Option(help="The last set from before a time like 2026-11-23T20:40:00Z; default: the last."),
    ] = "",
    into: Annotated[
        Optional[Path],  # noqa: UP045 - typer reads it at run time
        typer.Option(help="A new home, for everything. Default: lake, Redis and ClickHouse of the settings."),
    ] = None,
    skip: Annotated[
        Optional[list[str]],  # noqa: UP045 - as above
        typer.Option(help="Leave out redis, clickhouse or airflow; repeatable."),
    ] = None,
    expired: Annotated[
        Optional[Path],  # noqa: UP045 - as above
        typer.Option(help="A folder for the hour files that have expired in the lake; nothing else is restored."),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Put a backup into a new home, or into an empty lake, Redis and ClickHouse; then verify the lake.

    Killed at any moment, it is run again with the same options. Exit status 1 if the lake is damaged.
    """
    import msgspec

    from firehose.settings import load
    from firehose_cli.lake import moment_of, parts_of

    settings, moment, left_out = load(), moment_of("--to", to), parts_of(skip or [])
    if expired:
        _write_expired(settings, moment, expired, as_json=as_json)
        return
    if into:
        from devstack.restore import restore_into

        done = restore_into(settings, into, moment, left_out)
    else:
        done = _in_place(settings, moment, left_out)
    if as_json:
        typer.echo(msgspec.json.encode(done))
    else:
        _print(done)
    raise typer.Exit(ExitCode.of(ok=not done.problems))


def _in_place(settings: Settings, to: datetime | None, skip: list[str]) -> RestoreResult:
    from devstack.embedded.ownership import RESTORE, own_home
    from firehose.backup.choice import choose
    from firehose.backup.restore import restore as run
    from firehose.backup.sets import Backup
    from firehose.batch.buffer import client

    kept, home = Backup(settings), settings.home_path
    with own_home(home, RESTORE):
        chosen, again = choose(kept, home, to)
        # As the administrator: no role of the pipeline may write heartbeats.
        return run(
            settings,
            kept,
            chosen,
            lambda loaded: client(loaded, "admin"),
            written_to=home / "restored",
            again=again,
            skip=skip,
        )


def _write_expired(settings: Settings, to: datetime | None, folder: Path, *, as_json: bool) -> None:
    import msgspec

    from firehose.backup import expired
    from firehose.backup.choice import choose_set
    from firehose.backup.sets import Backup

    kept = Backup(settings)
    chosen = choose_set(kept, to)
    count = expired.write(kept, chosen, folder.expanduser().absolute())
    done = {"name": chosen.name, "expired": count}
    said = f"set {chosen.name}: {count} hour files that have expired, written to {folder}"
    typer.echo(msgspec.json.encode(done) if as_json else said)


def _print(done: RestoreResult) -> None:
    typer.echo(f"set {done.name}: {done.files} files of {done.bytes} bytes, {done.entries} entries of Redis")
    typer.echo(f"{done.rows} rows in the lake: {done.verdict}; {done.batches} batches loaded into ClickHouse")
    for line in (*done.notes, *done.problems):
        typer.echo(line, err=True)
    for path in done.written:
        typer.echo(f"written: {path}", err=True)
    if done.secrets:
        typer.echo(f"give these again: {', '.join(done.secrets)}", err=True)
