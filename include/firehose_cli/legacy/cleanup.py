"""``firehose legacy cleanup`` and ``restore``: run :mod:`firehose.legacy.cleanup`, print what goes and stays."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from firehose_cli.exit_codes import ExitCode

if TYPE_CHECKING:
    from firehose.legacy.cleanup.run import Cleanup

_Root = Annotated[Path, typer.Argument(metavar="PATH", help="The folder that was compared.")]


def cleanup(
    root: _Root,
    do: Annotated[bool, typer.Option("--do", help="Do it, not only say what would go.")] = False,
    purge: Annotated[
        bool, typer.Option("--purge", help="Remove for good what has been in the trash for its time.")
    ] = False,
    keep_days: Annotated[int, typer.Option(min=1, help="How long what goes can be restored.")] = 30,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Move old files aside whose days were compared and passed, whose records were imported and are backed up.

    They go into .firehose-trash in the same folder, from where `firehose legacy restore` puts them back. The
    lake's _audit/ says what went, why and by whom. What was not compared, or has changed since, stays.
    """
    import msgspec

    from firehose.batch.budget import size

    work = _work(root)
    if purge:
        over = work.over()
        count = work.purge() if do else sum(len(held.files) for held in over)
        typer.echo(f"{'removed for good' if do else 'would be removed for good'}: {count} files")
        return
    done = work.do(keep_days) if do else work.plan()
    if as_json:
        typer.echo(msgspec.json.encode(done))
        return
    until = f" until {done.until:%Y-%m-%d}" if done.until else ""
    typer.echo(f"{'moved aside' if do else 'would go'}: {done.files} files, {size(done.bytes)}{until}")
    for why, count in done.stays.items():
        typer.echo(f"stays: {count}: {why}")
    if not do:
        typer.echo("nothing was changed; to do it: firehose legacy cleanup PATH --do", err=True)


def restore(root: _Root) -> None:
    """Put back all that a cleanup has moved aside."""
    taken = _work(root).restore()
    for path in taken:
        typer.echo(f"{path}: stays in the trash, since another file is in its place", err=True)
    raise typer.Exit(ExitCode.of(ok=not taken))


def _work(root: Path) -> Cleanup:
    import getpass
    import socket

    from firehose.backup.coverage import coverage
    from firehose.errors import FirehoseError
    from firehose.legacy.cleanup.run import Cleanup
    from firehose.settings import load
    from firehose_cli.lake import existing_lake

    settings = load()
    existing_lake()
    if not root.is_dir():
        raise FirehoseError(f"{root} is not a folder: name the old system's folder")
    return Cleanup(
        settings, root, f"firehose legacy ({getpass.getuser()}@{socket.gethostname()})", coverage(settings)
    )
