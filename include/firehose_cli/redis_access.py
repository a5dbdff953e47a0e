"""``firehose redis-access``: makes the passwords and the ACL file of a Redis that somebody else starts. Thin."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def redis_access(
    folder: Annotated[Path, typer.Argument(help="Where the files go; made if it is not there, mode 0700.")],
    rotate: Annotated[
        str, typer.Option(help="Give this user a new password: ingester, pipeline, monitoring or admin.")
    ] = "",
) -> None:
    """Make a password file for each of Redis' users, where there is none, and users.acl from them."""
    from devstack.embedded.redis_config import write_access

    write_access(folder.expanduser().absolute(), rotate=rotate)
    typer.echo(f"{folder}: users.acl, and a file with the password of each user", err=True)
