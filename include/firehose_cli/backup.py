"""``firehose backup``: parses options, runs :mod:`firehose.backup`, prints what it did."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Optional

import typer

from firehose_cli.exit_codes import ExitCode

if TYPE_CHECKING:
    import msgspec

    from firehose.backup.sets import BackupSet
    from firehose.settings import Settings


def backup(
    verify: Annotated[
        bool, typer.Option("--verify", help="Read every object of the last set and compare it; restores nothing.")
    ] = False,
    listed: Annotated[bool, typer.Option("--list", help="List the complete sets.")] = False,
    prune: Annotated[
        bool,
        typer.Option("--prune", help="Remove sets that the settings do not keep, and what no set needs."),
    ] = False,
    skip: Annotated[
        Optional[list[str]],  # noqa: UP045 - typer reads it at run time
        typer.Option(help="Leave out redis, clickhouse or airflow, where there is none; repeatable."),
    ] = None,
    whole: Annotated[
        bool,
        typer.Option("--whole", help="Read everything, also what did not change, and repair damaged objects."),
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Copy lake, Redis, ClickHouse's tables, Airflow's database and the settings to FIREHOSE_BACKUP.

    Only what has changed since the set before is sent. Exit status 1 if an hour file is not the one of its record,
    or if --verify finds damage.
    """
    from firehose.errors import FirehoseError
    from firehose.settings import load
    from firehose_cli.lake import parts_of

    settings = load()
    if verify + listed + prune > 1:
        raise FirehoseError("choose one of --verify, --list and --prune")
    if verify:
        raise typer.Exit(_verify(settings, as_json=as_json))
    if listed:
        _list(settings, as_json=as_json)
    elif prune:
        from firehose.backup.prune import prune as run_prune

        done = run_prune(settings)
        _say(done, f"{len(done.sets)} sets and {done.objects} objects removed", as_json=as_json)
    else:
        raise typer.Exit(_backup(settings, parts_of(skip or []), whole=whole, as_json=as_json))


def _backup(settings: Settings, skip: list[str], *, whole: bool, as_json: bool) -> ExitCode:
    from firehose.backup.run import backup as run_backup
    from firehose_cli.lake import existing_lake

    existing_lake()
    done = run_backup(settings, skip=skip, whole=whole)
    for line in (*done.notes, *done.problems):
        typer.echo(line, err=True)
    sent = f"{done.sent} objects of {done.sent_bytes} bytes sent"
    said = f"{done.name}: {done.files} files of {done.size} bytes; {sent}, {done.read} files of the lake read"
    _say(done, said, as_json=as_json)
    return ExitCode.of(ok=not done.problems)


def _verify(settings: Settings, *, as_json: bool) -> ExitCode:
    from firehose.backup.verify import verify as run_verify

    found = run_verify(settings)
    for line in found.damaged:
        typer.echo(line, err=True)
    hint = "firehose backup --whole sends again what the lake still has" if found.damaged else "all is well"
    _say(found, f"{found.name}: {found.objects} objects of {found.size} bytes are right; {hint}", as_json=as_json)
    return ExitCode.of(ok=not found.damaged)


def _list(settings: Settings, *, as_json: bool) -> None:
    import msgspec
    from rich.table import Table

    from firehose.backup.coverage import state
    from firehose.backup.sets import Backup
    from firehose_cli.console import stdout

    kept, ages = Backup(settings), state(settings)
    sets = [(name, kept.read(name), kept.verified(name)) for name in kept.names()]
    if as_json:
        shown = [{"name": name, "files": _files(found), "verified": bool(seen)} for name, found, seen in sets]
        typer.echo(msgspec.json.encode({"sets": shown, **msgspec.structs.asdict(ages)}))
        return
    table = Table("set", "files", "bytes", "verified", title=str(kept.target))
    for name, found, seen in sets:
        size = sum(group.bytes for group in found.groups.values())
        table.add_row(name, str(_files(found)), str(size), f"{seen.at:%Y-%m-%dT%H:%M:%SZ}" if seen else "no")
    stdout().print(table)
    restored = f"{ages.restored}, {ages.restore_age_hours} hours ago" if ages.restored else "none on record"
    typer.echo(f"last restore: {restored}", err=True)


def _files(found: BackupSet) -> int:
    return sum(group.files for group in found.groups.values())


def _say(done: msgspec.Struct, text: str, *, as_json: bool) -> None:
    import msgspec

    typer.echo(msgspec.json.encode(done) if as_json else text)
