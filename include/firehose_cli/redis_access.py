"""``firehose redis-access``: makes the passwords and the ACL file of a Redis that is started elsewhere."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def redis_access(
    folder: Annotated[Path, typer.Argument(help="Where the files go; made with mode 0700 if it is missing.")],
    rotate: Annotated[
        str, typer.Option(help="Give this user a new password: ingester, pipeline, monitoring or admin.")
    ] = "",
) -> None:
    """Make Redis' ACL file, and a password file for each of its users that has none."""
    from devstack.embedded.redis_config import write_access

    write_access(folder.expanduser().absolute(), rotate=rotate)
    typer.echo(f"{folder}: users.acl, and a file with the password of each user", err=True)
