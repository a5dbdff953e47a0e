"""``firehose maintenance``: runs :mod:`firehose.maintenance`, prints its plan, or what it has done."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from firehose_cli.exit_codes import ExitCode

if TYPE_CHECKING:
    from firehose.iceberg.share import Shared
    from firehose.maintenance.run import Checked, Closed, Expired


def maintenance(
    do: Annotated[
        bool, typer.Option("--do", help="Do it. Without this the plan is printed, and no more.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Close hours, verify them, remove what the settings keep no longer, share: a plan, or with --do the deed.

    What is removed is covered elsewhere, or its time is over; the lake's _audit/ says what, why and by whom. With
    FIREHOSE_ICEBERG closed hours are shared as Iceberg tables. The DAG firehose_maintenance does the same hourly.
    """
    import math

    import msgspec

    from firehose.maintenance.backups import verified_backup
    from firehose.maintenance.plan import lines
    from firehose.maintenance.run import Maintenance
    from firehose.settings import load
    from firehose_cli.lake import existing_lake

    settings = load()
    existing_lake()
    logs = (settings.home_path / "logs", settings.home_path / "airflow" / "logs")
    work = Maintenance(settings, _who(), logs=logs, backup=verified_backup(settings))
    if not do:
        plan = work.plan()
        typer.echo(msgspec.json.encode(plan) if as_json else "\n".join(lines(plan)))
        if not as_json:
            typer.echo("nothing was changed; to do it: firehose maintenance --do", err=True)
        return
    closed = work.close(math.inf)
    checked = work.check(math.inf)
    expired = work.expire()
    shared = work.share()
    if as_json:
        done = {"closed": closed, "checked": checked, "expired": expired, "shared": shared}
        typer.echo(msgspec.json.encode(done))
    else:
        _print(closed, checked, expired, shared)
    raise typer.Exit(ExitCode.of(ok=not closed.problems and not checked.problems))


def _who() -> str:
    import getpass
    import socket

    return f"firehose maintenance ({getpass.getuser()}@{socket.gethostname()})"


def _print(closed: Closed, checked: Checked, expired: Expired, shared: Shared | None) -> None:
    from firehose.batch.budget import size

    typer.echo(f"closed {closed.closed} hour files, which saved {size(closed.saved)}")
    typer.echo(f"verified {checked.verified} hour files of {checked.verified_rows} rows")
    for tier, count in expired.removed.items():
        typer.echo(f"removed {tier}: {count}, {size(expired.freed[tier])}")
    for tier, count in expired.kept.items():
        typer.echo(f"kept {tier}: {count}, although their time is over; `firehose maintenance` says why")
    if shared:
        typer.echo(f"shared {shared.shared} hours in Iceberg tables, {shared.taken} of them now")
    for said in (*closed.problems, *checked.problems, *expired.alarming):
        typer.echo(said, err=True)
