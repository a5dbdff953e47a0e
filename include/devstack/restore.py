"""`firehose restore --into`: a backup into a new home, with the embedded Redis and ClickHouse started for it.

Must not: know what is restored, or how.
"""

from __future__ import annotations

import secrets
import shutil
from collections.abc import Collection
from contextlib import ExitStack
from datetime import datetime
from pathlib import Path

import msgspec

from devstack.embedded import clickhouse
from devstack.embedded.ownership import RESTORE, RUN, own_home
from devstack.embedded.redis import RedisServer, free_port
from firehose.areas import RESTORING
from firehose.backup import clickhouse as clickhouse_part
from firehose.backup import redis
from firehose.backup import restore as steps
from firehose.backup.choice import begin, choose
from firehose.backup.sets import Backup
from firehose.errors import FirehoseError
from firehose.settings import Settings, checked


def restore_into(
    settings: Settings, home: Path, to: datetime | None, skip: Collection[str]
) -> steps.RestoreResult:
    """Restore the last set of ``settings.backup``, or the last one from before ``to``, into a new folder.

    Raises:
        FirehoseError: the folder is not empty, or in use; see also :func:`firehose.backup.restore.restore`.
    """
    home = home.expanduser().absolute()
    kept = Backup(settings)
    with own_home(home, RESTORE):
        chosen, again = choose(kept, home, to)
        used = [path.name for path in home.iterdir() if path.name not in (RUN, RESTORING)]
        if used and not again:
            raise FirehoseError(f"{home} is not empty ({used[0]} is there): a restore needs a new folder")
        begin(home, chosen)
        for name in ("redis", clickhouse.data_folder(settings).name):
            shutil.rmtree(home / name, ignore_errors=True)
        (home / "lake").mkdir(exist_ok=True)  # before the endpoint: its sandbox names folders that are there
        with ExitStack() as services:
            server = RedisServer(home)
            if redis.PART not in skip:
                services.enter_context(server)
            placed = _settings(settings, home, server.url)
            if clickhouse_part.PART not in skip:
                services.enter_context(clickhouse.start(placed))
            return steps.restore(
                placed, kept, chosen, lambda _: server.client(), written_to=home, again=True, skip=skip
            )


def _settings(settings: Settings, home: Path, redis_url: str) -> Settings:
    """For the time of the restore: nobody else knows the passwords."""
    return checked(
        msgspec.structs.replace(
            settings,
            home=str(home),
            lake=str(home / "lake"),
            redis_url=redis_url,
            clickhouse_url=f"http://127.0.0.1:{free_port()}",
            clickhouse_lake="",
            clickhouse_loader_password=secrets.token_urlsafe(16),
            clickhouse_analyst_password=secrets.token_urlsafe(16),
        )
    )
