"""Runs a `firehose` command as the pipeline's user, with the settings and secrets that its services have.

Lives here: handing it copies of the files that only root may read, for as long as it runs. Must not: know a
command.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import tempfile
from pathlib import Path
from typing import Final

from devstack.service import machine, record, systemd
from devstack.service.machine import CLICKHOUSE_ENV, HOME, REDIS_PASSWORDS, SECRETS_ENV, SETTINGS
from firehose.errors import FirehoseError
from ingester.contract.redis_access import INGESTER, MONITORING, PIPELINE

_USER: Final = "bluesky-firehose"
#: The lake's files are for its group as well: ClickHouse and the ingester read them.
_UMASK: Final = 0o027
_FILES: Final = (SETTINGS, CLICKHOUSE_ENV, SECRETS_ENV, REDIS_PASSWORDS / PIPELINE, REDIS_PASSWORDS / MONITORING)


def run_inside(arguments: list[str]) -> int:
    """Run `firehose` with ``arguments``; its exit code.

    Raises:
        FirehoseError: nothing is installed.
        SettingsError: the services' settings are wrong.
    """
    root = systemd.Host().root
    current = record.read(root).current
    if current is None:
        raise FirehoseError("nothing is installed here, so there are no settings of services to run it with")
    with tempfile.TemporaryDirectory(prefix="bluesky-firehose-", dir=root / "run") as folder:
        for name in files_of(root):
            shutil.copy(root / name, folder)
        for path in (Path(folder), *Path(folder).iterdir()):
            shutil.chown(path, _USER, _USER)
        process = subprocess.Popen(
            [str(Path(current.python).with_name("firehose")), *arguments],
            env=_environment(folder, machine.settings(root, {}).lake),
            cwd=HOME,
            user=_USER,
            group=_USER,
            extra_groups=[],
            umask=_UMASK,
        )
        signal.signal(signal.SIGINT, signal.SIG_IGN)  # it is for the command, which says what follows from it
        return process.wait()


def files_of(root: Path) -> list[Path]:
    """Those that are there; the ingester's password only where it is the one of this machine."""
    names = _FILES if (root / REDIS_PASSWORDS / PIPELINE).exists() else (*_FILES, REDIS_PASSWORDS / INGESTER)
    return [name for name in names if (root / name).exists()]


def _environment(folder: str, lake: str) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if name in ("PATH", "LANG", "TERM", "COLUMNS")}
    ours = {"HOME": HOME, "FIREHOSE_HOME": HOME, "FIREHOSE_LAKE": lake}
    return kept | ours | {"FIREHOSE_ENV_FILE": folder, "FIREHOSE_REDIS_PASSWORDS": folder}
