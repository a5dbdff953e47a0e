"""Airflow's part of a set: its database, by SQLite's online backup or by ``pg_dump``.

It is copied first: a run that this copy calls done is in the lake that is copied after it, and any other runs
again, which changes nothing. Must not: import Airflow, put a password on a command line.
"""

from __future__ import annotations

import os
import shutil
import sqlite3
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Final
from urllib.parse import unquote, urlsplit

import zstandard

from firehose import files
from firehose.backup.objects import compressed
from firehose.backup.sets import Backup, Group
from firehose.errors import FirehoseError
from firehose.settings import Settings

PART: Final = "airflow"
SQLITE: Final = "airflow.db"
_DUMP: Final = "airflow.pgdump"
_READ_BYTES: Final = 1024 * 1024


def copy(settings: Settings, backup: Backup) -> tuple[Group | None, str]:
    """Copy the database; or nothing, and a line that says why.

    Raises:
        FirehoseError: it cannot be read.
    """
    url = settings.airflow_database_url
    if url.startswith("postgresql"):
        if not (program := shutil.which("pg_dump")):
            return (
                None,
                "Airflow's database is not in the set: there is no pg_dump on PATH",
            )
        return backup.group([backup.objects.put_file(_DUMP, compressed(_dumped(program, url)))], ""), ""
    named = Path(unquote(url.removeprefix("sqlite:///"))).expanduser() if url else None
    path = named or settings.home_path / "airflow" / SQLITE
    if not path.is_file():
        if named:
            raise FirehoseError(f"FIREHOSE_AIRFLOW_DATABASE_URL: there is no file {path}")
        return None, "there is no Airflow in FIREHOSE_HOME, and FIREHOSE_AIRFLOW_DATABASE_URL names none"
    with tempfile.TemporaryDirectory(prefix="firehose-backup-") as folder:
        online = Path(folder) / SQLITE
        try:
            with closing(sqlite3.connect(path)) as source, closing(sqlite3.connect(online)) as target:
                source.backup(target)
        except sqlite3.Error as error:
            raise FirehoseError(f"{path}: Airflow's database cannot be read ({error})") from error
        return backup.group([backup.objects.put_file(SQLITE, compressed(_parts(online)))], ""), ""


def write(backup: Backup, group: Group, folder: Path) -> Path:
    """Write the copy: below a home, SQLite's is in its place for `firehose demo`; pg_restore takes the other.

    Raises:
        CorruptBackup: the copy is damaged.
    """
    (file,) = backup.files(group)
    path = folder / "airflow" / file.key
    with files.replacing(path) as part, part.open("wb") as out:
        part.chmod(0o600)
        with zstandard.ZstdDecompressor().stream_reader(backup.objects.stream(file)) as stream:
            shutil.copyfileobj(stream, out, _READ_BYTES)
    return path


def _parts(path: Path) -> Iterator[bytes]:
    with path.open("rb") as stream:
        while part := stream.read(_READ_BYTES):
            yield part


def _dumped(program: str, url: str) -> Iterator[bytes]:
    parts = urlsplit(url)
    place = ["--dbname", parts.path.lstrip("/"), "--host", parts.hostname or "", "--port", str(parts.port or 5432)]
    login = {"PGPASSWORD": unquote(parts.password or ""), "PGUSER": unquote(parts.username or "")}
    environment = dict(os.environ) | {name: value for name, value in login.items() if value}
    command = [program, "--format=custom", "--compress=0", "--no-password", *place]
    with (
        tempfile.TemporaryFile() as said,
        subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=said) as process,
    ):
        assert process.stdout is not None  # noqa: S101 - asked for above
        while part := process.stdout.read(_READ_BYTES):
            yield part
        if process.wait():
            said.seek(0)
            reason = " ".join(said.read().decode(errors="replace").split())
            raise FirehoseError(f"pg_dump of Airflow's database failed ({reason:.300})")
